//! A key that signs tokens. Each deployment makes its own: those of access tokens only identity-service reads, those of service tokens
//! only their service. Which of several signs when is in `key_ring`.

use std::path::Path;

use anyhow::Context;
use common_utils::secret_file;
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::jwks::PublicKey;

pub const PRIVATE_FILE: &str = "jwt_ed25519.pem";
/// The public halves of all keys that are published, for the gateway.
pub const PUBLIC_FILE: &str = "jwt_ed25519.pub.pem";

pub struct TokenSigner {
    key: EncodingKey,
    public: PublicKey,
}

impl std::fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenSigner").field("public", &self.public).finish_non_exhaustive()
    }
}

impl TokenSigner {
    /// The deployment's first key, made if there is none.
    pub fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let path = keys_dir.join(PRIVATE_FILE);
        secret_file::load_or_create(&path, || {
            let key = SigningKey::from_bytes(&rand::random());
            Ok(key.to_pkcs8_pem(LineEnding::LF)?.as_bytes().to_vec())
        })?;
        Self::load(&path)
    }

    /// The key in a file.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let pem = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let key = SigningKey::from_pkcs8_pem(&pem)
            .with_context(|| format!("{} holds no Ed25519 key", path.display()))?;
        Self::new(&key)
    }

    /// A key of this process alone; for tests.
    pub fn ephemeral() -> anyhow::Result<Self> {
        Self::new(&SigningKey::from_bytes(&rand::random()))
    }

    fn new(key: &SigningKey) -> anyhow::Result<Self> {
        let der = key.to_pkcs8_der()?;
        Ok(Self {
            key: EncodingKey::from_ed_der(der.as_bytes()),
            public: PublicKey::new(key.verifying_key().to_bytes()),
        })
    }

    pub fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// A signed token (JWS, compact).
    pub fn sign(&self, claims: &impl Serialize) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.public.kid().to_owned());
        Ok(jsonwebtoken::encode(&header, claims, &self.key)?)
    }
}
