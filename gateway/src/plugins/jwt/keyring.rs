//! The credentials of the file, and the tokens that they have verified. A key is parsed once, when the file is
//! loaded, so a wrong one is found then.

use std::{collections::HashMap, sync::Arc};

use ed25519_dalek::{Signature, VerifyingKey, pkcs8::DecodePublicKey};
use http::HeaderValue;
use quick_cache::sync::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Refusal, token::Token};
use crate::config::Config;

/// Some 10 MB.
const REMEMBERED: usize = 50_000;

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

#[derive(Debug)]
struct Credential {
    algorithm: String,
    key: VerifyingKey,
    consumer: Arc<Consumer>,
}

#[derive(Debug)]
pub(crate) struct Keyring {
    credentials: HashMap<String, Credential>,
    /// By the digest of the token.
    verified: Cache<[u8; 32], Arc<Verified>>,
}

impl Keyring {
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let mut credentials = HashMap::new();
        for consumer in &config.consumers {
            for credential in &consumer.credentials {
                let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
                let named = Consumer {
                    id: value(&consumer.id.to_string())?,
                    username: value(&consumer.username)?,
                    credential: value(&credential.key)?,
                };
                let key = public_key(&credential.rsa_public_key)?;
                let algorithm = credential.algorithm.clone();
                let entry = Credential { algorithm, key, consumer: Arc::new(named) };
                credentials.insert(credential.key.clone(), entry);
            }
        }
        Ok(Self { credentials, verified: Cache::new(REMEMBERED) })
    }

    pub(super) fn verify(&self, text: &str) -> Result<Arc<Verified>, Refusal> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some(verified) = self.verified.get(&digest) {
            return Ok(verified);
        }
        let verified = Arc::new(self.verify_anew(text).map_err(Refusal::Message)?);
        self.verified.insert(digest, Arc::clone(&verified));
        Ok(verified)
    }

    fn verify_anew(&self, text: &str) -> Result<Verified, &'static str> {
        let token = Token::parse(text)?;
        let issuer = match token.field("iss") {
            None => return Err("No mandatory 'iss' in claims"),
            Some(Value::String(issuer)) if issuer.is_empty() => return Err("Invalid 'iss' in claims"),
            Some(issuer) => issuer.as_str(),
        };
        let credential = issuer.and_then(|issuer| self.credentials.get(issuer));
        let credential = credential.ok_or("No credentials found for given 'iss'")?;
        if token.algorithm() != Some(credential.algorithm.as_str()) {
            return Err("Invalid algorithm");
        }
        let signature = Signature::from_slice(&token.signature).map_err(|_| "Invalid signature")?;
        credential.key.verify_strict(token.signed.as_bytes(), &signature).map_err(|_| "Invalid signature")?;
        let (exp, nbf) = (token.time("exp"), token.time("nbf"));
        Ok(Verified { consumer: Arc::clone(&credential.consumer), exp, nbf })
    }
}

/// An Ed25519 public key in PEM.
pub(crate) fn public_key(pem: &str) -> Result<VerifyingKey, String> {
    if pem.starts_with('@') {
        return Err("the public key is missing: render the file with gateway/render.sh".to_owned());
    }
    let key = VerifyingKey::from_public_key_pem(pem)
        .map_err(|error| format!("is no Ed25519 public key: {error}"))?;
    // With such a key, one signature fits every token.
    if key.is_weak() { Err("is a weak key".to_owned()) } else { Ok(key) }
}
