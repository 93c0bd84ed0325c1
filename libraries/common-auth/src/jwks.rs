//! Public keys as a JSON Web Key Set (RFC 7517, RFC 8037), as identity-service publishes and the others read it.

use anyhow::Context;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    VerifyingKey,
    pkcs8::{DecodePublicKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// An Ed25519 public key, known by its thumbprint (RFC 7638).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    bytes: [u8; 32],
}

impl PublicKey {
    pub fn new(bytes: [u8; 32]) -> Self {
        let x = URL_SAFE_NO_PAD.encode(bytes);
        let thumbprint = Sha256::digest(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Self { kid: URL_SAFE_NO_PAD.encode(thumbprint), bytes }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub fn pem(&self) -> anyhow::Result<String> {
        Ok(VerifyingKey::from_bytes(&self.bytes)?.to_public_key_pem(LineEnding::LF)?)
    }

    /// All keys of a text, whatever stands between them.
    pub(crate) fn all_in_pem(text: &str) -> anyhow::Result<Vec<Self>> {
        const END: &str = "-----END PUBLIC KEY-----";
        let blocks = text.match_indices("-----BEGIN PUBLIC KEY-----").map(|(start, _)| &text[start..]);
        let key = |block: &str| {
            let end = block.find(END).context("a key has no end")? + END.len();
            Ok(Self::new(VerifyingKey::from_public_key_pem(&block[..end])?.to_bytes()))
        };
        blocks.map(key).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Jwk {
    #[schema(example = "OKP")]
    pub kty: String,
    #[schema(example = "Ed25519")]
    pub crv: String,
    pub x: String,
    pub kid: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    pub usage: String,
    #[schema(example = "EdDSA")]
    pub alg: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JwkSet {
    pub keys: Vec<Jwk>,
}

impl JwkSet {
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Self {
        let jwk = |key: &PublicKey| Jwk {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: URL_SAFE_NO_PAD.encode(key.bytes),
            kid: key.kid.clone(),
            usage: "sig".to_owned(),
            alg: "EdDSA".to_owned(),
        };
        Self { keys: keys.into_iter().map(jwk).collect() }
    }

    /// The Ed25519 keys of the set. Others are passed over: an issuer may publish more than we can use.
    pub fn ed25519(&self) -> Vec<PublicKey> {
        let usable = |jwk: &&Jwk| jwk.kty == "OKP" && jwk.crv == "Ed25519";
        let bytes = |jwk: &Jwk| URL_SAFE_NO_PAD.decode(&jwk.x).ok()?.try_into().ok();
        self.keys.iter().filter(usable).filter_map(bytes).map(PublicKey::new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037, appendices A.2 and A.3.
        let x = URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = PublicKey::new(x.try_into().unwrap());
        assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_set_is_read_back() {
        let key = PublicKey::new([7; 32]);
        let mut set = JwkSet::of([&key]);
        set.keys.push(Jwk { kty: "RSA".to_owned(), ..set.keys[0].clone() });
        set.keys.push(Jwk { x: "short".to_owned(), ..set.keys[0].clone() });
        assert_eq!(set.ed25519(), [key]);
    }
}
