//! The credentials of the file, and the tokens that they have verified. A key is parsed once, when the file is
//! loaded, so a wrong one is found then. They can be replaced while calls are served: keys are rotated.

use std::{
    borrow::Cow,
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use ed25519_dalek::{Signature, VerifyingKey, pkcs8::DecodePublicKey};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderValue;
use quick_cache::sync::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Refusal, token::Token};
use crate::config::{Config, JwtCredential};

/// Some 10 MB.
const REMEMBERED: usize = 50_000;
/// RFC 7518 § 3.2.
const SHORTEST_SECRET: usize = 32;

/// Whom a credential belongs to, as the headers for the service say it.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(super) id: HeaderValue,
    pub(super) username: HeaderValue,
    pub(super) credential: HeaderValue,
}

/// A token whose signature was right. Whether its time is right is asked every time.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(super) consumer: Arc<Consumer>,
    pub(super) exp: Option<i64>,
    pub(super) nbf: Option<i64>,
}

/// What a credential verifies with.
#[derive(Clone)]
pub(crate) enum Key {
    EdDsa(VerifyingKey),
    Hs256(Vec<u8>),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm())
    }
}

#[derive(Debug)]
struct Credential {
    key: Key,
    consumer: Arc<Consumer>,
}

/// The credentials of one reading of the file, and what they have verified.
#[derive(Debug)]
struct Held {
    credentials: HashMap<String, Credential>,
    /// By the digest of the token.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

#[derive(Debug)]
pub(crate) struct Keyring(RwLock<Arc<Held>>);

impl Keyring {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        Ok(Self(RwLock::new(Arc::new(Held::new(config)?))))
    }

    /// Verifies with the credentials of `config` from now on. What others have verified is forgotten.
    pub(crate) fn replace(&self, config: &Config) -> Result<(), String> {
        let held = Arc::new(Held::new(config)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// A token whose credential is named by `claim`.
    pub(super) fn verify(&self, text: &str, claim: &str) -> Result<Arc<Verified>, Refusal> {
        let held = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some(verified) = held.verified.get(&digest) {
            return Ok(verified);
        }
        let verified = Arc::new(held.verify_anew(text, claim).map_err(Refusal::Message)?);
        held.verified.insert(digest, Arc::clone(&verified));
        Ok(verified)
    }
}

impl Held {
    fn new(config: &Config) -> Result<Self, String> {
        let mut credentials = HashMap::new();
        for consumer in &config.consumers {
            for credential in &consumer.credentials {
                let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
                let named = Consumer {
                    id: value(&consumer.id.to_string())?,
                    username: value(&consumer.username)?,
                    credential: value(&credential.key)?,
                };
                let key = Key::of(credential).map_err(|(_, why)| why)?;
                credentials.insert(credential.key.clone(), Credential { key, consumer: Arc::new(named) });
            }
        }
        Ok(Self { credentials, verified: Cache::new(REMEMBERED) })
    }

    fn verify_anew(&self, text: &str, claim: &str) -> Result<Verified, Cow<'static, str>> {
        let token = Token::parse(text)?;
        let name = match token.field(claim) {
            None => return Err(format!("No mandatory '{claim}' in claims").into()),
            Some(Value::String(name)) if name.is_empty() => {
                return Err(format!("Invalid '{claim}' in claims").into());
            }
            Some(name) => name.as_str(),
        };
        let credential = name.and_then(|name| self.credentials.get(name));
        let credential = credential.ok_or_else(|| format!("No credentials found for given '{claim}'"))?;
        if token.algorithm() != Some(credential.key.algorithm()) {
            return Err("Invalid algorithm".into());
        }
        if !credential.key.verifies(token.signed.as_bytes(), &token.signature) {
            return Err("Invalid signature".into());
        }
        let (exp, nbf) = (token.time("exp"), token.time("nbf"));
        Ok(Verified { consumer: Arc::clone(&credential.consumer), exp, nbf })
    }
}

impl Key {
    /// The key of a credential, or which field is wrong and why.
    pub(crate) fn of(credential: &JwtCredential) -> Result<Self, (&'static str, String)> {
        match (credential.algorithm.as_str(), &credential.rsa_public_key, &credential.secret) {
            ("EdDSA", Some(pem), None) => {
                public_key(pem).map(Self::EdDsa).map_err(|why| ("rsa_public_key", why))
            }
            ("EdDSA", None, _) => Err(("rsa_public_key", "is missing".to_owned())),
            ("EdDSA", Some(_), Some(_)) => Err(("secret", "EdDSA has none".to_owned())),
            ("HS256", None, Some(secret)) if secret.len() >= SHORTEST_SECRET => {
                Ok(Self::Hs256(secret.as_bytes().to_vec()))
            }
            ("HS256", None, _) => Err(("secret", format!("must have at least {SHORTEST_SECRET} bytes"))),
            ("HS256", Some(_), _) => Err(("rsa_public_key", "HS256 has none".to_owned())),
            _ => Err(("algorithm", "only EdDSA and HS256 are understood".to_owned())),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::EdDsa(_) => "EdDSA",
            Self::Hs256(_) => "HS256",
        }
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::EdDsa(key) => {
                let signature = Signature::from_slice(signature);
                signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            }
            // Compared in a time that tells nothing. A key of any length is one.
            Self::Hs256(secret) => Hmac::<Sha256>::new_from_slice(secret)
                .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok()),
        }
    }
}

/// An Ed25519 public key in PEM.
fn public_key(pem: &str) -> Result<VerifyingKey, String> {
    if pem.starts_with('@') {
        return Err("the public key is missing: render the file with gateway/render.sh".to_owned());
    }
    let key = VerifyingKey::from_public_key_pem(pem)
        .map_err(|error| format!("is no Ed25519 public key: {error}"))?;
    // With such a key, one signature fits every token.
    if key.is_weak() { Err("is a weak key".to_owned()) } else { Ok(key) }
}
