//! Personal data at rest: encrypted, each bound to its person and field, and found by a keyed hash.

use std::path::Path;

use common_utils::{
    crypto::{
        keyed_hash,
        sealing::{KeyFile, SealError, Sealer},
    },
    ids::UserId,
};
use zeroize::Zeroizing;

pub(crate) const FILE: &str = "pii.key";
const PURPOSE: &str = "wallet-platform/pii/v1";

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
#[error("stored personal data cannot be read with {FILE}: {0}")]
pub(crate) struct PiiError(#[from] SealError);

/// The keys of this deployment.
#[derive(Clone)]
pub(crate) struct PiiKeys {
    sealer: Sealer,
    lookup: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for PiiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PiiKeys").field("sealer", &self.sealer).finish_non_exhaustive()
    }
}

impl PiiKeys {
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        Self::from_key(&KeyFile::load_or_create(&keys_dir.join(FILE))?)
    }

    /// Fails unless the file holds the key with all of these ids, those that stored data names. Where data is stored,
    /// no key is made: under a new one, nothing could be read and one number be verified twice.
    pub(crate) fn require(keys_dir: &Path, stored: &[Vec<u8>]) -> anyhow::Result<()> {
        Sealer::require(&keys_dir.join(FILE), PURPOSE, stored, "personal data")
    }

    fn from_key(key: &KeyFile) -> anyhow::Result<Self> {
        Ok(Self { sealer: Sealer::new(key, PURPOSE)?, lookup: key.derive(PURPOSE, "lookup") })
    }

    pub(crate) fn seal(&self, user: UserId, field: Field, plain: &[u8]) -> Result<Vec<u8>, PiiError> {
        Ok(self.sealer.seal(&place(user, field), plain)?)
    }

    pub(crate) fn open(
        &self,
        user: UserId,
        field: Field,
        stored: &[u8],
    ) -> Result<Zeroizing<String>, PiiError> {
        let plain = self.sealer.open(&place(user, field), stored)?;
        let text = std::str::from_utf8(&plain).map_err(|_| SealError::Damaged)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// The same value always gives the same hash, and without the key nobody can try all values.
    pub(crate) fn lookup(&self, field: Field, value: &str) -> [u8; 32] {
        keyed_hash(self.lookup.as_slice(), &[field.name().as_bytes(), value.as_bytes()])
    }
}

fn place(user: UserId, field: Field) -> Vec<u8> {
    [user.uuid().as_bytes().as_slice(), field.name().as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the key of nothing but sevens, for person 1.
    const STORED: &str =
        "01d54c52c7131876de7596d40cae8e85022f54bb67a4070eb06228ca901d9b94cfa839e60571aef96f7b6fe3794138aa";
    const LOOKUP: &str = "bb31bcf4d2d340f11e53d2b81cf20ab85b18fe9a02042a8df3c793325825402d";

    fn keys(byte: u8) -> PiiKeys {
        PiiKeys::from_key(&KeyFile::new([byte; 32]).unwrap()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let (keys, user) = (keys(7), UserId::new());
        let sealed = keys.seal(user, Field::Bvn, b"22222222221").unwrap();
        assert_eq!(*keys.open(user, Field::Bvn, &sealed).unwrap(), "22222222221");
        let damaged = |result| matches!(result, Err(PiiError(SealError::Damaged)));
        assert!(damaged(keys.open(UserId::new(), Field::Bvn, &sealed)));
        assert!(damaged(keys.open(user, Field::DateOfBirth, &sealed)));
        let other = self::keys(8).open(user, Field::Bvn, &sealed);
        assert!(matches!(other, Err(PiiError(SealError::OtherKey))));
    }

    #[test]
    fn what_was_stored_before_can_still_be_read() {
        let user = UserId::from(uuid::Uuid::from_u128(1));
        let stored = hex::decode(STORED).unwrap();
        assert_eq!(*keys(7).open(user, Field::Bvn, &stored).unwrap(), "22222222221");
        assert_eq!(hex::encode(keys(7).lookup(Field::Bvn, "22222222221")), LOOKUP);
    }

    #[test]
    fn the_lookup_depends_on_key_field_and_value() {
        let keys = keys(7);
        let hash = keys.lookup(Field::Bvn, "22222222221");
        assert_eq!(hash, keys.lookup(Field::Bvn, "22222222221"));
        assert_ne!(hash, keys.lookup(Field::Bvn, "22222222222"));
        assert_ne!(hash, keys.lookup(Field::DateOfBirth, "22222222221"));
        assert_ne!(hash, self::keys(8).lookup(Field::Bvn, "22222222221"));
    }
}
