//! A phone in software: a key that signs what it is given, and tells its public half in either form.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use p256::{
    ecdsa::{Signature, SigningKey, VerifyingKey, signature::Signer},
    pkcs8::EncodePublicKey,
};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) enum Phone {
    P256(SigningKey),
    Ed25519(ed25519_dalek::SigningKey),
}

impl Phone {
    pub(crate) fn new() -> Self {
        Self::P256(SigningKey::from_slice(&rand::random::<[u8; 32]>()).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(ed25519_dalek::SigningKey::from_bytes(&rand::random()))
    }

    /// SubjectPublicKeyInfo in base64.
    pub(crate) fn spki(&self) -> Value {
        let der = match self {
            Self::P256(key) => VerifyingKey::from(key).to_public_key_der(),
            Self::Ed25519(key) => key.verifying_key().to_public_key_der(),
        };
        json!(STANDARD.encode(der.unwrap().as_bytes()))
    }

    pub(crate) fn jwk(&self) -> Value {
        match self {
            Self::P256(key) => {
                let point = VerifyingKey::from(key).to_sec1_point(false);
                let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
                let (x, y) = (coordinate(point.x().unwrap()), coordinate(point.y().unwrap()));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig" })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes()) })
            }
        }
    }

    pub(crate) fn sign(&self, message: &str) -> String {
        let signature = match self {
            Self::P256(key) => {
                let signature: Signature = key.sign(message.as_bytes());
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message.as_bytes()).to_vec(),
        };
        STANDARD.encode(signature)
    }
}
