//! Contact data as the directory keeps it: HMAC-SHA256 under a key of the deployment, which serves a look-up and tells
//! nothing to who reads the database without the key.

use std::path::Path;

use anyhow::Context;
use common_utils::secret_file;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const KEY_FILE: &str = "directory.key";

/// By what somebody is found.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ContactKind {
    Email,
    Phone,
    AccountNumber,
}

impl ContactKind {
    /// Keeps the hashes of two kinds apart, whatever their text.
    fn tag(self) -> &'static [u8] {
        match self {
            Self::Email => b"email\0",
            Self::Phone => b"phone\0",
            Self::AccountNumber => b"account\0",
        }
    }
}

#[derive(Clone)]
pub(crate) struct ContactHasher(Hmac<Sha256>);

impl std::fmt::Debug for ContactHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ContactHasher(..)")
    }
}

impl ContactHasher {
    /// With the deployment's key, made on first start.
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let path = keys_dir.join(KEY_FILE);
        let text =
            secret_file::load_or_create(&path, || Ok(hex::encode(rand::random::<[u8; 32]>()).into_bytes()))?;
        let key = hex::decode(text.trim_ascii()).ok().filter(|key| key.len() >= 32);
        let key = key.with_context(|| format!("{} must hold 64 hexadecimal digits", path.display()))?;
        Ok(Self(Hmac::new_from_slice(&key)?))
    }

    pub(crate) fn hash(&self, kind: ContactKind, text: &str) -> Vec<u8> {
        let mut hmac = self.0.clone();
        hmac.update(kind.tag());
        hmac.update(text.as_bytes());
        hmac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_stays_and_kinds_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        let hasher = ContactHasher::load_or_create(dir.path()).unwrap();
        let again = ContactHasher::load_or_create(dir.path()).unwrap();
        let hash = hasher.hash(ContactKind::Phone, "+2348031234567");
        assert_eq!(hash, again.hash(ContactKind::Phone, "+2348031234567"));
        assert_eq!(hash.len(), 32);
        assert_ne!(hash, hasher.hash(ContactKind::Email, "+2348031234567"));
        let elsewhere = ContactHasher::load_or_create(tempfile::tempdir().unwrap().path()).unwrap();
        assert_ne!(hash, elsewhere.hash(ContactKind::Phone, "+2348031234567"));
    }
}
