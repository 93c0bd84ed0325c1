//! The key without which a stolen hash says nothing about a PIN.

use std::{fmt, path::Path};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_utils::{
    crypto::{keyed_hash, sealing::KeyFile},
    ids::UserId,
};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::entity::Pin;

const PURPOSE: &str = "wallet-platform/transaction-pins/v1";

#[derive(Clone)]
pub(crate) struct Pepper(Zeroizing<[u8; 32]>);

impl Pepper {
    /// Of the key file of second factors. Lost, no PIN is right, and people set others.
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let key = KeyFile::load_or_create(&keys_dir.join(crate::factors::KEY_FILE))?;
        Ok(Self(key.derive(PURPOSE, "hash")))
    }

    /// What is hashed in the place of the PIN.
    pub(super) fn add(&self, owner: UserId, pin: &Pin) -> SecretString {
        let hash = keyed_hash(self.0.as_slice(), &[owner.uuid().as_bytes(), pin.digits().as_bytes()]);
        SecretString::from(URL_SAFE_NO_PAD.encode(hash))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}
