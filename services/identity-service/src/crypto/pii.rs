//! Personal data at rest: encrypted with AES-256-GCM-SIV, found by a keyed hash.
//!
//! One key file (32 bytes, made on first start) gives two keys by labelled HMACs: one encrypts, one looks up, so that
//! neither use tells anything about the other. Each ciphertext is `version ‖ key id ‖ nonce ‖ ciphertext and tag`,
//! bound to its person and field: moved to another row or column it does not open.

use std::{fmt, path::Path};

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use anyhow::{Context, ensure};
use common_utils::{ids::UserId, secret_file};
use zeroize::Zeroizing;

use super::keyed_hash;

pub(crate) const FILE: &str = "pii.key";
const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// What is encrypted; the name is part of what the ciphertext is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Bvn,
    DateOfBirth,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Bvn => "bvn",
            Self::DateOfBirth => "date-of-birth",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PiiError {
    #[error("stored personal data was encrypted with another key than the one in {FILE}")]
    OtherKey,
    #[error("stored personal data is damaged, or does not belong to its row")]
    Damaged,
}

/// The keys of this deployment.
#[derive(Clone)]
pub(crate) struct PiiKeys {
    id: [u8; KEY_ID_BYTES],
    cipher: Aes256GcmSiv,
    lookup: Zeroizing<[u8; KEY_BYTES]>,
}

impl fmt::Debug for PiiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PiiKeys").field("id", &hex::encode(self.id)).finish_non_exhaustive()
    }
}

impl PiiKeys {
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let path = keys_dir.join(FILE);
        let key = secret_file::load_or_create(&path, || Ok(rand::random::<[u8; KEY_BYTES]>().to_vec()))?;
        let key = Zeroizing::new(key);
        ensure!(key.len() == KEY_BYTES, "{} must hold {KEY_BYTES} bytes", path.display());
        Self::from_key(&key).with_context(|| format!("cannot use {}", path.display()))
    }

    /// Fails unless the file holds the key with all of these ids, those that stored data names. Where data is stored,
    /// no key is made: under a new one, nothing could be read and one number be verified twice.
    pub(crate) fn require(keys_dir: &Path, stored: &[Vec<u8>]) -> anyhow::Result<()> {
        if stored.is_empty() {
            return Ok(());
        }
        let path = keys_dir.join(FILE);
        let shown = path.display();
        let remedy = "put back the file that the stored personal data was encrypted with, from the backup or another \
                      instance";
        let exists = path.try_exists().with_context(|| format!("cannot read {shown}"))?;
        ensure!(exists, "{shown} is missing: {remedy}");
        let own = Self::load_or_create(keys_dir)?.id;
        ensure!(stored.iter().all(|id| *id == own), "{shown} holds another key: {remedy}");
        Ok(())
    }

    fn from_key(key: &[u8]) -> anyhow::Result<Self> {
        let derive = |label: &[u8]| Zeroizing::new(keyed_hash(key, &[b"wallet-platform/pii/v1", label]));
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&derive(b"id")[..KEY_ID_BYTES]);
        let cipher = Aes256GcmSiv::new_from_slice(derive(b"encrypt").as_slice())
            .map_err(|_| anyhow::anyhow!("the key has a wrong length"))?;
        Ok(Self { id, cipher, lookup: derive(b"lookup") })
    }

    pub(crate) fn seal(&self, user: UserId, field: Field, plain: &[u8]) -> Result<Vec<u8>, PiiError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let aad = associated(user, field);
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &aad })
            .map_err(|_| PiiError::Damaged)?;
        Ok([&[VERSION][..], &self.id, &nonce, &sealed].concat())
    }

    pub(crate) fn open(
        &self,
        user: UserId,
        field: Field,
        stored: &[u8],
    ) -> Result<Zeroizing<String>, PiiError> {
        let (head, sealed) = stored.split_at_checked(HEAD_BYTES).ok_or(PiiError::Damaged)?;
        let (version, rest) = head.split_first().ok_or(PiiError::Damaged)?;
        let (id, nonce) = rest.split_at_checked(KEY_ID_BYTES).ok_or(PiiError::Damaged)?;
        if *version != VERSION {
            return Err(PiiError::Damaged);
        }
        if id != self.id {
            return Err(PiiError::OtherKey);
        }
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| PiiError::Damaged)?;
        let aad = associated(user, field);
        let plain = self
            .cipher
            .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: &aad })
            .map_err(|_| PiiError::Damaged)?;
        String::from_utf8(plain).map(Zeroizing::new).map_err(|_| PiiError::Damaged)
    }

    /// The same value always gives the same hash, and without the key nobody can try all values.
    pub(crate) fn lookup(&self, field: Field, value: &str) -> [u8; 32] {
        keyed_hash(self.lookup.as_slice(), &[field.name().as_bytes(), value.as_bytes()])
    }
}

fn associated(user: UserId, field: Field) -> Vec<u8> {
    [user.uuid().as_bytes().as_slice(), field.name().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    fn keys() -> PiiKeys {
        PiiKeys::from_key(&[7; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let (keys, user) = (keys(), UserId::new());
        let sealed = keys.seal(user, Field::Bvn, b"22222222221").unwrap();
        assert_eq!(*keys.open(user, Field::Bvn, &sealed).unwrap(), "22222222221");
        assert!(matches!(keys.open(UserId::new(), Field::Bvn, &sealed), Err(PiiError::Damaged)));
        assert!(matches!(keys.open(user, Field::DateOfBirth, &sealed), Err(PiiError::Damaged)));
        let other = PiiKeys::from_key(&[8; KEY_BYTES]).unwrap();
        assert!(matches!(other.open(user, Field::Bvn, &sealed), Err(PiiError::OtherKey)));
        assert_ne!(keys.seal(user, Field::Bvn, b"22222222221").unwrap(), sealed, "a fresh nonce each time");
    }

    #[test]
    fn the_lookup_depends_on_key_field_and_value() {
        let keys = keys();
        let hash = keys.lookup(Field::Bvn, "22222222221");
        assert_eq!(hash, keys.lookup(Field::Bvn, "22222222221"));
        assert_ne!(hash, keys.lookup(Field::Bvn, "22222222222"));
        assert_ne!(hash, keys.lookup(Field::DateOfBirth, "22222222221"));
        assert_ne!(hash, PiiKeys::from_key(&[8; 32]).unwrap().lookup(Field::Bvn, "22222222221"));
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = PiiKeys::load_or_create(dir.path()).unwrap();
        assert_eq!(PiiKeys::load_or_create(dir.path()).unwrap().id, first.id);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(dir.path().join(FILE), "short").unwrap();
        assert!(PiiKeys::load_or_create(dir.path()).is_err());
    }

    proptest! {
        #[test]
        fn damage_is_seen_and_never_panics(place in 0_usize..60, bit in 0_u8..8, cut in 0_usize..60) {
            let (keys, user) = (keys(), UserId::new());
            let mut sealed = keys.seal(user, Field::Bvn, b"22222222221").unwrap();
            prop_assert!(keys.open(user, Field::Bvn, &sealed[..cut.min(sealed.len() - 1)]).is_err());
            let place = place % sealed.len();
            sealed[place] ^= 1 << bit;
            prop_assert!(keys.open(user, Field::Bvn, &sealed).is_err());
        }
    }
}
