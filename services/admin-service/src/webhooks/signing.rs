//! Secrets and signatures as Standard Webhooks 1.0.0 has them: `v1,` and the HMAC-SHA256 of `id.timestamp.body` in Base64,
//! one for each secret in force.

use std::{fmt, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use common_utils::crypto::sealing::{KeyFile, SealError, Sealer};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

const FILE: &str = "webhooks.key";
const PURPOSE: &str = "wallet-platform/webhook-secrets/v1";
/// Within the 24 to 64 of the standard.
const SECRET_BYTES: usize = 32;

/// What an endpoint and the platform share.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random::<[u8; SECRET_BYTES]>().to_vec()))
    }

    /// As its endpoint is told, once.
    pub(crate) fn text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(&*self.0))
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104)")]
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length fits");
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// The header `webhook-signature`.
pub(crate) fn signatures(secrets: &[Secret], id: &str, timestamp: i64, body: &str) -> String {
    secrets.iter().map(|secret| secret.sign(id, timestamp, body)).collect::<Vec<_>>().join(" ")
}

/// Encrypts the secrets for the database, each bound to its row.
#[derive(Debug, Clone)]
pub(crate) struct SecretKeys(Sealer);

impl SecretKeys {
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        Ok(Self(Sealer::new(&KeyFile::load_or_create(&keys_dir.join(FILE))?, PURPOSE)?))
    }

    /// Fails unless the file holds the key that the stored secrets are encrypted with.
    pub(crate) fn require(keys_dir: &Path, stored: &[Vec<u8>]) -> anyhow::Result<()> {
        Sealer::require(&keys_dir.join(FILE), PURPOSE, stored, "webhook secrets")
    }

    pub(crate) fn seal(&self, row: Uuid, secret: &Secret) -> Result<Vec<u8>, SealError> {
        self.0.seal(row.as_bytes(), &secret.0)
    }

    pub(crate) fn open(&self, row: Uuid, sealed: &[u8]) -> Result<Secret, SealError> {
        Ok(Secret(self.0.open(row.as_bytes(), sealed)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of the standard's own libraries.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let secret = Secret(Zeroizing::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()));
        assert_eq!(secret.text(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = r#"{"test": 2432232314}"#;
        let signed =
            signatures(std::slice::from_ref(&secret), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both =
            signatures(&[Secret::random(), secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(both.split_once(' ').unwrap().1, signed);
    }

    #[test]
    fn a_secret_is_long_enough_of_its_own_and_does_not_print() {
        let (one, other) = (Secret::random(), Secret::random());
        assert_ne!(one.text(), other.text());
        let key = STANDARD.decode(one.text().strip_prefix("whsec_").unwrap()).unwrap();
        assert!((24..=64).contains(&key.len()));
        assert_eq!(format!("{one:?}"), "Secret");
    }

    #[test]
    fn a_stored_secret_opens_in_its_row_alone() {
        let dir = tempfile::tempdir().unwrap();
        let keys = SecretKeys::load_or_create(dir.path()).unwrap();
        let (secret, row) = (Secret::random(), Uuid::from_u128(1));
        let sealed = keys.seal(row, &secret).unwrap();
        assert_eq!(keys.open(row, &sealed).unwrap().text(), secret.text());
        assert!(keys.open(Uuid::from_u128(2), &sealed).is_err());
        assert!(!sealed.windows(8).any(|window| window == &secret.0[..8]));
    }
}
