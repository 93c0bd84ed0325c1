//! The key that signs access tokens. Each deployment makes its own on first start; only identity-service reads it.

use std::path::Path;

use anyhow::Context;
use common_utils::{ids, secret_file};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use crate::{Claims, jwks::PublicKey};

pub const PRIVATE_FILE: &str = "jwt_ed25519.pem";
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
    /// The deployment's key, made if there is none; its public half is written beside it, for the gateway.
    pub fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let path = keys_dir.join(PRIVATE_FILE);
        let pem = secret_file::load_or_create(&path, || {
            let key = SigningKey::from_bytes(&rand::random());
            Ok(key.to_pkcs8_pem(LineEnding::LF)?.as_bytes().to_vec())
        })?;
        let pem = String::from_utf8(pem).with_context(|| format!("{} is no PEM", path.display()))?;
        let key = SigningKey::from_pkcs8_pem(&pem)
            .with_context(|| format!("{} holds no Ed25519 key", path.display()))?;
        let public = key.verifying_key().to_public_key_pem(LineEnding::LF)?;
        replace(&keys_dir.join(PUBLIC_FILE), &public)?;
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
    pub fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.public.kid().to_owned());
        Ok(jsonwebtoken::encode(&header, claims, &self.key)?)
    }
}

/// Leaves the file alone where it is right, and never shows half of it: a gateway may be reading it.
fn replace(path: &Path, content: &str) -> anyhow::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == content) {
        return Ok(());
    }
    let draft = path.with_extension(format!("draft-{}", ids::new_id()));
    let written = std::fs::write(&draft, content).and_then(|()| std::fs::rename(&draft, path));
    written.with_context(|| format!("cannot write {}", path.display()))
}
