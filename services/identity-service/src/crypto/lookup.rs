//! The key of the hashes by which values are found: one for the deployment, so that a number that a second person gives is known again.
//!
//! It was derived from the first master key (`pii.key`), and is kept in a file of its own, `pii_lookup.key`, so that master keys can go. It
//! stays: under another one every number would have to be decrypted and hashed anew before the next is verified.

use std::path::Path;

use anyhow::{Context, ensure};
use common_utils::{
    crypto::{keyed_hash, sealing::KeyFile},
    secret_file,
};
use zeroize::Zeroizing;

use super::{data_key::Field, file_keys::FIRST_FILE, unmoved};

pub(super) const FILE: &str = "pii_lookup.key";
const ID_PREFIX: &str = "lookup:";

#[derive(Clone)]
pub(super) struct LookupKey {
    /// Names the key, and tells nothing of it.
    pub(super) id: String,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for LookupKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookupKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl LookupKey {
    pub(super) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let path = keys_dir.join(FILE);
        let key =
            secret_file::load_or_create(&path, || Ok(derived(keys_dir)?.to_vec())).map(Zeroizing::new)?;
        let key = <[u8; 32]>::try_from(key.as_slice());
        Ok(Self::new(Zeroizing::new(key.with_context(|| format!("cannot use {}", path.display()))?)))
    }

    /// Fails unless the key with this id is here, or can be derived. Makes none.
    pub(super) fn require(keys_dir: &Path, id: &str) -> anyhow::Result<()> {
        let (own, first) = (keys_dir.join(FILE), keys_dir.join(FIRST_FILE));
        let remedy =
            "put back the file by which the stored numbers are found, from the backup or another instance";
        let key = if own.try_exists()? {
            Self::load_or_create(keys_dir)?
        } else {
            ensure!(first.try_exists()?, "{} is missing: {remedy}", own.display());
            Self::new(derived(keys_dir)?)
        };
        ensure!(key.id == id, "{} holds another key: {remedy}", own.display());
        Ok(())
    }

    fn new(key: Zeroizing<[u8; 32]>) -> Self {
        let id = keyed_hash(key.as_slice(), &[b"id"]);
        Self { id: format!("{ID_PREFIX}{}", hex::encode(&id[..8])), key }
    }

    /// The same value always gives the same hash, and without the key nobody can try all values.
    pub(super) fn hash(&self, field: Field, value: &str) -> [u8; 32] {
        keyed_hash(self.key.as_slice(), &[field.name().as_bytes(), value.as_bytes()])
    }
}

fn derived(keys_dir: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    Ok(KeyFile::load_or_create(&keys_dir.join(FIRST_FILE))?.derive(unmoved::PURPOSE, "lookup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the key file of nothing but sevens.
    const HASH: &str = "bb31bcf4d2d340f11e53d2b81cf20ab85b18fe9a02042a8df3c793325825402d";

    fn keys(byte: u8) -> (tempfile::TempDir, LookupKey) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FIRST_FILE), [byte; 32]).unwrap();
        let key = LookupKey::load_or_create(dir.path()).unwrap();
        (dir, key)
    }

    #[test]
    fn the_hash_depends_on_key_field_and_value() {
        let (_dir, key) = keys(7);
        let hash = key.hash(Field::Bvn, "22222222221");
        assert_eq!(hex::encode(hash), HASH, "what was stored before is still found");
        assert_ne!(hash, key.hash(Field::Bvn, "22222222222"));
        assert_ne!(hash, key.hash(Field::Nin, "22222222221"));
        assert_ne!(hash, keys(8).1.hash(Field::Bvn, "22222222221"));
    }

    #[test]
    fn it_outlives_the_key_that_it_came_from_and_is_known_again() {
        let (dir, key) = keys(7);
        std::fs::remove_file(dir.path().join(FIRST_FILE)).unwrap();
        assert_eq!(LookupKey::load_or_create(dir.path()).unwrap().id, key.id);
        LookupKey::require(dir.path(), &key.id).unwrap();
        let other = LookupKey::require(keys(8).0.path(), &key.id).unwrap_err();
        assert!(other.to_string().contains("holds another key"), "{other}");
        let empty = tempfile::tempdir().unwrap();
        let missing = LookupKey::require(empty.path(), &key.id).unwrap_err();
        assert!(missing.to_string().contains("is missing"), "{missing}");
        assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0, "no key is made");
    }
}
