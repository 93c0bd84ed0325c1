//! What an earlier release has encrypted under the deployment's one key, `pii.key`, before people had keys of their own. It is only read,
//! to be moved.

use std::path::Path;

use common_utils::{
    crypto::sealing::{KeyFile, Sealer},
    ids::UserId,
};
use zeroize::Zeroizing;

use super::{
    data_key::{Field, text},
    error::PiiError,
    file_keys::FIRST_FILE,
};

pub(super) const PURPOSE: &str = "wallet-platform/pii/v1";
/// The first byte of what is encrypted under it.
pub(super) const VERSION: u8 = 1;

/// Fails unless the file holds the key with this id, which stored data names. Makes none.
pub(super) fn require(keys_dir: &Path, stored: &[Vec<u8>]) -> anyhow::Result<()> {
    Sealer::require(&keys_dir.join(FIRST_FILE), PURPOSE, stored, "personal data")
}

/// None where the file was retired: then everything has been moved.
pub(super) fn load(keys_dir: &Path) -> anyhow::Result<Option<Sealer>> {
    let path = keys_dir.join(FIRST_FILE);
    if !path.try_exists()? {
        return Ok(None);
    }
    Sealer::new(&KeyFile::load_or_create(&path)?, PURPOSE).map(Some)
}

pub(super) fn open(
    sealer: &Sealer,
    user: UserId,
    field: Field,
    stored: &[u8],
) -> Result<Zeroizing<String>, PiiError> {
    let place = [user.uuid().as_bytes().as_slice(), field.name().as_bytes()].concat();
    text(&sealer.open(&place, stored)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the key of nothing but sevens, for person 1.
    const STORED: &str =
        "01d54c52c7131876de7596d40cae8e85022f54bb67a4070eb06228ca901d9b94cfa839e60571aef96f7b6fe3794138aa";

    #[test]
    fn what_was_stored_before_can_still_be_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(load(dir.path()).unwrap().is_none(), "no key is made");
        std::fs::write(dir.path().join(FIRST_FILE), [7; 32]).unwrap();
        let sealer = load(dir.path()).unwrap().unwrap();
        let (user, stored) = (UserId::from(uuid::Uuid::from_u128(1)), hex::decode(STORED).unwrap());
        assert_eq!(stored[0], VERSION);
        assert_eq!(*open(&sealer, user, Field::Bvn, &stored).unwrap(), "22222222221");
        assert!(open(&sealer, user, Field::DateOfBirth, &stored).is_err());
        assert!(open(&sealer, UserId::new(), Field::Bvn, &stored).is_err());
    }
}
