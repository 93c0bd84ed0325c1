//! The public key of a device: ECDSA over P-256 with SHA-256, which is what secure elements of phones have, or Ed25519.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::{
    ecdsa::{Signature as P256Signature, VerifyingKey as P256Key, signature::Verifier},
    pkcs8::{DecodePublicKey, EncodePublicKey},
};
use serde::Deserialize;
use utoipa::ToSchema;

/// Bytes of a coordinate, and of an Ed25519 key.
const FIELD: usize = 32;
/// A signature over P-256 as two numbers.
const FIXED_SIGNATURE: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    P256(P256Key),
    Ed25519(Ed25519Key),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a key of P-256 or Ed25519, as a JWK or as SubjectPublicKeyInfo in base64")]
pub(crate) struct InvalidKey;

/// A public key as JSON Web Key (RFC 7517, RFC 8037). What else stands in it is passed over.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DeviceJwk)]
pub(crate) struct Jwk {
    #[schema(example = "EC")]
    kty: String,
    #[schema(example = "P-256")]
    crv: String,
    #[schema(example = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU")]
    x: String,
    /// Of P-256 alone.
    #[schema(example = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")]
    y: Option<String>,
}

impl PublicKey {
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, InvalidKey> {
        match (jwk.kty.as_str(), jwk.crv.as_str(), &jwk.y) {
            ("EC", "P-256", Some(y)) => {
                // 4: both coordinates follow (SEC 1, 2.3.3).
                let point = [&[4][..], &coordinate(&jwk.x)?, &coordinate(y)?].concat();
                P256Key::from_sec1_bytes(&point).map(Self::P256).map_err(|_| InvalidKey)
            }
            ("OKP", "Ed25519", None) => {
                Ed25519Key::from_bytes(&coordinate(&jwk.x)?).map_err(|_| InvalidKey).and_then(Self::strong)
            }
            _ => Err(InvalidKey),
        }
    }

    /// As Android and Java give it: SubjectPublicKeyInfo in base64.
    pub(crate) fn from_base64(text: &str) -> Result<Self, InvalidKey> {
        Self::from_spki(&STANDARD.decode(text).map_err(|_| InvalidKey)?)
    }

    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, InvalidKey> {
        if let Ok(key) = P256Key::from_public_key_der(der) {
            return Ok(Self::P256(key));
        }
        Ed25519Key::from_public_key_der(der).map_err(|_| InvalidKey).and_then(Self::strong)
    }

    /// Some points are keys under which anybody can sign.
    fn strong(key: Ed25519Key) -> Result<Self, InvalidKey> {
        if key.is_weak() { Err(InvalidKey) } else { Ok(Self::Ed25519(key)) }
    }

    pub(crate) fn to_spki(&self) -> Result<Vec<u8>, InvalidKey> {
        let der = match self {
            Self::P256(key) => key.to_public_key_der().map_err(|_| InvalidKey)?,
            Self::Ed25519(key) => key.to_public_key_der().map_err(|_| InvalidKey)?,
        };
        Ok(der.into_vec())
    }

    /// A signature over P-256 is taken as phones give it (ASN.1), and as browsers do (two numbers of 32 bytes).
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P256(key) => {
                let signature = match P256Signature::from_der(signature) {
                    Err(_) if signature.len() == FIXED_SIGNATURE => P256Signature::from_slice(signature),
                    parsed => parsed,
                };
                signature.is_ok_and(|signature| key.verify(message, &signature).is_ok())
            }
            Self::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

fn coordinate(text: &str) -> Result<[u8; FIELD], InvalidKey> {
    URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(InvalidKey)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::{SigningKey, signature::Signer};

    use super::*;

    fn p256() -> SigningKey {
        SigningKey::from_slice(&[7; 32]).unwrap()
    }

    fn ed25519() -> ed25519_dalek::SigningKey {
        ed25519_dalek::SigningKey::from_bytes(&[7; 32])
    }

    fn jwk(kty: &str, crv: &str, x: &[u8], y: Option<&[u8]>) -> Jwk {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        Jwk { kty: kty.into(), crv: crv.into(), x: encode(x), y: y.map(encode) }
    }

    #[test]
    fn a_key_is_the_same_in_both_forms() {
        let key = P256Key::from(&p256());
        let point = key.to_sec1_point(false);
        let (x, y) = (point.x().unwrap(), point.y().unwrap());
        let of_jwk = PublicKey::from_jwk(&jwk("EC", "P-256", x, Some(y))).unwrap();
        assert_eq!(of_jwk, PublicKey::P256(key));
        assert_eq!(PublicKey::from_base64(&STANDARD.encode(of_jwk.to_spki().unwrap())).unwrap(), of_jwk);

        let key = ed25519().verifying_key();
        let of_jwk = PublicKey::from_jwk(&jwk("OKP", "Ed25519", key.as_bytes(), None)).unwrap();
        assert_eq!(of_jwk, PublicKey::Ed25519(key));
        assert_eq!(PublicKey::from_base64(&STANDARD.encode(of_jwk.to_spki().unwrap())).unwrap(), of_jwk);
    }

    #[test]
    fn what_is_no_key_of_ours_is_refused() {
        let key = P256Key::from(&p256());
        let point = key.to_sec1_point(false);
        let (x, y) = (point.x().unwrap().as_slice(), point.y().unwrap().as_slice());
        let weak = [&[1][..], &[0; 31]].concat();
        for wrong in [
            jwk("EC", "P-256", x, Some(x)),
            jwk("EC", "P-256", x, None),
            jwk("EC", "P-256", &x[1..], Some(y)),
            jwk("EC", "P-384", x, Some(y)),
            jwk("RSA", "P-256", x, Some(y)),
            jwk("OKP", "Ed25519", &weak, None),
            jwk("OKP", "X25519", ed25519().verifying_key().as_bytes(), None),
        ] {
            assert_eq!(PublicKey::from_jwk(&wrong), Err(InvalidKey), "{wrong:?}");
        }
        for wrong in ["", "!", "AAAA"] {
            assert_eq!(PublicKey::from_base64(wrong), Err(InvalidKey), "{wrong:?}");
        }
    }

    #[test]
    fn a_signature_is_of_the_key_and_the_message() {
        let (phone, message) = (p256(), b"message");
        let key = PublicKey::P256(P256Key::from(&phone));
        let signature: P256Signature = phone.sign(message);
        for form in [signature.to_der().as_bytes(), signature.to_bytes().as_slice()] {
            assert!(key.verify(message, form) && !key.verify(b"another", form));
        }
        let other: P256Signature = SigningKey::from_slice(&[8; 32]).unwrap().sign(message);
        assert!(!key.verify(message, other.to_der().as_bytes()) && !key.verify(message, &[]));

        let (phone, signature) = (ed25519(), ed25519().sign(message).to_bytes());
        let key = PublicKey::Ed25519(phone.verifying_key());
        assert!(key.verify(message, &signature) && !key.verify(b"another", &signature));
        assert!(!key.verify(message, &signature[1..]));
    }
}
