//! Secrets at rest, encrypted with AES-256-GCM-SIV under a key file of the deployment's own.
//!
//! One key file (32 bytes, made on first start) gives a key for each use by labelled HMACs, so that no use tells anything
//! about another. Each ciphertext is `version ‖ key id ‖ nonce ‖ ciphertext and tag`, bound to its place: moved to another
//! row or column it does not open.

use std::{fmt, path::Path};

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use anyhow::{Context, ensure};
use zeroize::Zeroizing;

use super::keyed_hash;
use crate::secret_file;

const KEY_BYTES: usize = 32;
const VERSION: u8 = 1;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("it was encrypted with another key than the one of this deployment")]
    OtherKey,
    #[error("it is damaged, or does not belong to its place")]
    Damaged,
}

/// What a key file holds.
#[derive(Clone)]
pub struct KeyFile(Zeroizing<Vec<u8>>);

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile")
    }
}

impl KeyFile {
    /// Makes the file where there is none.
    pub fn load_or_create(path: &Path) -> anyhow::Result<Self> {
        let key = secret_file::load_or_create(path, || Ok(rand::random::<[u8; KEY_BYTES]>().to_vec()))?;
        Self::new(key).with_context(|| format!("cannot use {}", path.display()))
    }

    pub fn new(key: impl Into<Vec<u8>>) -> anyhow::Result<Self> {
        let key = Zeroizing::new(key.into());
        ensure!(key.len() == KEY_BYTES, "a key file must hold {KEY_BYTES} bytes");
        Ok(Self(key))
    }

    /// The key for one use.
    pub fn derive(&self, purpose: &str, label: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(keyed_hash(&self.0, &[purpose.as_bytes(), label.as_bytes()]))
    }
}

/// Encrypts for one purpose.
#[derive(Clone)]
pub struct Sealer {
    id: [u8; KEY_ID_BYTES],
    cipher: Aes256GcmSiv,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("id", &hex::encode(self.id)).finish_non_exhaustive()
    }
}

impl Sealer {
    /// `purpose` is part of what the keys are derived from, such as `wallet-platform/pii/v1`.
    pub fn new(key: &KeyFile, purpose: &str) -> anyhow::Result<Self> {
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&key.derive(purpose, "id")[..KEY_ID_BYTES]);
        let cipher = Aes256GcmSiv::new_from_slice(key.derive(purpose, "encrypt").as_slice())
            .map_err(|_| anyhow::anyhow!("the key has a wrong length"))?;
        Ok(Self { id, cipher })
    }

    /// Names the key, and tells nothing of it.
    pub fn id(&self) -> [u8; KEY_ID_BYTES] {
        self.id
    }

    /// Fails unless the file holds the key with all of these ids, those that stored data names ([`key_id`]). Where `what` is
    /// stored, no key is made: under a new one, nothing could be read.
    pub fn require(path: &Path, purpose: &str, stored: &[Vec<u8>], what: &str) -> anyhow::Result<()> {
        if stored.is_empty() {
            return Ok(());
        }
        let shown = path.display();
        let remedy = format!(
            "put back the file that the stored {what} was encrypted with, from the backup or another instance"
        );
        let exists = path.try_exists().with_context(|| format!("cannot read {shown}"))?;
        ensure!(exists, "{shown} is missing: {remedy}");
        let own = Self::new(&KeyFile::load_or_create(path)?, purpose)?.id;
        ensure!(stored.iter().all(|id| *id == own), "{shown} holds another key: {remedy}");
        Ok(())
    }

    /// `place` names the row and column.
    pub fn seal(&self, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: place })
            .map_err(|_| SealError::Damaged)?;
        Ok([&[VERSION][..], &self.id, &nonce, &sealed].concat())
    }

    pub fn open(&self, place: &[u8], stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (head, sealed) = stored.split_at_checked(HEAD_BYTES).ok_or(SealError::Damaged)?;
        let (version, rest) = head.split_first().ok_or(SealError::Damaged)?;
        let (id, nonce) = rest.split_at_checked(KEY_ID_BYTES).ok_or(SealError::Damaged)?;
        if *version != VERSION {
            return Err(SealError::Damaged);
        }
        if id != self.id {
            return Err(SealError::OtherKey);
        }
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce).map_err(|_| SealError::Damaged)?;
        let plain = self
            .cipher
            .decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: place })
            .map_err(|_| SealError::Damaged)?;
        Ok(Zeroizing::new(plain))
    }
}

/// The id of the key that this was sealed with. In SQL it is `substring(… FROM 2 FOR 8)`.
pub fn key_id(stored: &[u8]) -> Option<&[u8]> {
    stored.get(1..=KEY_ID_BYTES)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;

    const PURPOSE: &str = "test/v1";

    fn sealer(byte: u8) -> Sealer {
        Sealer::new(&KeyFile::new([byte; KEY_BYTES]).unwrap(), PURPOSE).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let ours = sealer(7);
        let sealed = ours.seal(b"here", b"secret").unwrap();
        assert_eq!(ours.open(b"here", &sealed).unwrap().as_slice(), b"secret");
        assert!(matches!(ours.open(b"there", &sealed), Err(SealError::Damaged)));
        assert!(matches!(sealer(8).open(b"here", &sealed), Err(SealError::OtherKey)));
        let other_use = Sealer::new(&KeyFile::new([7; KEY_BYTES]).unwrap(), "other/v1").unwrap();
        assert!(matches!(other_use.open(b"here", &sealed), Err(SealError::OtherKey)));
        assert_ne!(ours.seal(b"here", b"secret").unwrap(), sealed, "a fresh nonce each time");
    }

    #[test]
    fn the_key_file_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.key");
        let first = KeyFile::load_or_create(&path).unwrap();
        assert_eq!(KeyFile::load_or_create(&path).unwrap().0, first.0);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(KeyFile::load_or_create(&path).is_err());
    }

    #[test]
    fn where_something_is_stored_the_key_must_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.key");
        let sealed = sealer(7).seal(b"here", b"secret").unwrap();
        let stored = [key_id(&sealed).unwrap().to_vec()];
        let require = |stored| Sealer::require(&path, PURPOSE, stored, "secret");
        require(&[]).unwrap();
        assert!(require(&stored).unwrap_err().to_string().contains("is missing"));
        assert!(!path.exists(), "no key is made");
        std::fs::write(&path, [8; KEY_BYTES]).unwrap();
        assert!(require(&stored).unwrap_err().to_string().contains("holds another key"));
        std::fs::write(&path, [7; KEY_BYTES]).unwrap();
        require(&stored).unwrap();
    }

    proptest! {
        #[test]
        fn damage_is_seen_and_never_panics(place in 0_usize..60, bit in 0_u8..8, cut in 0_usize..60) {
            let ours = sealer(7);
            let mut sealed = ours.seal(b"here", b"22222222221").unwrap();
            prop_assert!(ours.open(b"here", &sealed[..cut.min(sealed.len() - 1)]).is_err());
            let place = place % sealed.len();
            sealed[place] ^= 1 << bit;
            prop_assert!(ours.open(b"here", &sealed).is_err());
        }
    }
}
