//! A person's own key, and the places that what it encrypts is bound to.
//!
//! Stored is `version ‖ nonce ‖ ciphertext and tag`, AES-256-GCM-SIV. The person, the field and the row (where a person has several)
//! are authenticated with it: moved elsewhere it does not open.

use std::{fmt, sync::Arc};

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, KeyInit, Payload},
};
use common_utils::ids::UserId;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    error::PiiError,
    key_provider::{KEY_BYTES, KeyBytes},
};

/// The first byte of what is encrypted under a person's key. 1 is the deployment's.
pub(super) const VERSION: u8 = 2;
const NONCE_BYTES: usize = 12;

/// What is encrypted; the name is part of what the ciphertext is bound to, and stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Bvn,
    Nin,
    DateOfBirth,
    Document,
    /// What somebody tells when they apply for a tier.
    KycClaims,
    /// What reviewers write about somebody.
    KycNote,
    /// Names and contacts of who had themselves erased.
    Profile,
}

impl Field {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bvn => "bvn",
            Self::Nin => "nin",
            Self::DateOfBirth => "date-of-birth",
            Self::Document => "document",
            Self::KycClaims => "kyc-claims",
            Self::KycNote => "kyc-note",
            Self::Profile => "profile",
        }
    }
}

/// Where a value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) user: UserId,
    pub(crate) field: Field,
    /// Which of several.
    pub(crate) row: Option<Uuid>,
}

impl Place {
    pub(crate) fn new(user: UserId, field: Field) -> Self {
        Self { user, field, row: None }
    }

    pub(crate) fn in_row(user: UserId, field: Field, row: Uuid) -> Self {
        Self { user, field, row: Some(row) }
    }

    /// No two places give the same: all but the name, which ends it, has one length.
    fn bytes(&self) -> Vec<u8> {
        let row = self.row.unwrap_or_default();
        [
            &[VERSION, u8::from(self.row.is_some())],
            row.as_bytes().as_slice(),
            self.user.uuid().as_bytes(),
            self.field.name().as_bytes(),
        ]
        .concat()
    }
}

/// Does not print, and is overwritten when the last copy goes.
#[derive(Clone)]
pub(crate) struct DataKey {
    user: UserId,
    bytes: Arc<KeyBytes>,
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataKey").field("user", &self.user).finish_non_exhaustive()
    }
}

impl DataKey {
    pub(super) fn new(user: UserId, bytes: KeyBytes) -> Self {
        Self { user, bytes: Arc::new(bytes) }
    }

    pub(super) fn generate(user: UserId) -> Self {
        Self::new(user, Zeroizing::new(rand::random::<[u8; KEY_BYTES]>()))
    }

    pub(super) fn bytes(&self) -> &KeyBytes {
        &self.bytes
    }

    pub(crate) fn seal(&self, place: &Place, plain: &[u8]) -> Result<Vec<u8>, PiiError> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = self
            .cipher(place)?
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: &place.bytes() })
            .map_err(|_| PiiError::Damaged)?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    pub(crate) fn open(&self, place: &Place, stored: &[u8]) -> Result<Zeroizing<Vec<u8>>, PiiError> {
        let (&version, rest) = stored.split_first().ok_or(PiiError::Damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(PiiError::Damaged)?;
        if version != VERSION {
            return Err(PiiError::Damaged);
        }
        let plain = self
            .cipher(place)?
            .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &place.bytes() })
            .map_err(|_| PiiError::Damaged)?;
        Ok(Zeroizing::new(plain))
    }

    pub(crate) fn open_text(&self, place: &Place, stored: &[u8]) -> Result<Zeroizing<String>, PiiError> {
        text(&self.open(place, stored)?)
    }

    /// A place of somebody else's is a mistake of ours, caught before anything is written.
    fn cipher(&self, place: &Place) -> Result<Aes256GcmSiv, PiiError> {
        if place.user != self.user {
            return Err(PiiError::Damaged);
        }
        Aes256GcmSiv::new_from_slice(self.bytes.as_slice()).map_err(|_| PiiError::Damaged)
    }
}

pub(super) fn text(plain: &[u8]) -> Result<Zeroizing<String>, PiiError> {
    let text = std::str::from_utf8(plain).map_err(|_| PiiError::Damaged)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By another implementation, of the key of nothing but sevens, for person 1, row 2.
    const STORED: &str = "02000102030405060708090a0b64afb828b5e6fc580706e9f86ab9f785f649c722ea17a4a47ac531";

    fn person(number: u128) -> UserId {
        UserId::from(Uuid::from_u128(number))
    }

    fn key(user: UserId, byte: u8) -> DataKey {
        DataKey::new(user, Zeroizing::new([byte; KEY_BYTES]))
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place() {
        let (user, row) = (person(1), Uuid::from_u128(2));
        let ours = key(user, 7);
        let place = Place::new(user, Field::Bvn);
        let sealed = ours.seal(&place, b"22222222221").unwrap();
        assert_eq!(*ours.open_text(&place, &sealed).unwrap(), "22222222221");
        assert_ne!(ours.seal(&place, b"22222222221").unwrap(), sealed, "a fresh nonce each time");
        for elsewhere in [Place::new(user, Field::Nin), Place::in_row(user, Field::Bvn, row)] {
            assert!(matches!(ours.open(&elsewhere, &sealed), Err(PiiError::Damaged)), "{elsewhere:?}");
        }
        assert!(matches!(key(user, 8).open(&place, &sealed), Err(PiiError::Damaged)));
        let in_row = Place::in_row(user, Field::Document, row);
        let sealed = ours.seal(&in_row, b"scan").unwrap();
        let other_row = Place::in_row(user, Field::Document, Uuid::from_u128(3));
        assert!(ours.open(&in_row, &sealed).is_ok() && ours.open(&other_row, &sealed).is_err());
    }

    #[test]
    fn a_key_serves_nobody_else() {
        let ours = key(person(1), 7);
        let theirs = Place::new(person(2), Field::Bvn);
        assert!(matches!(ours.seal(&theirs, b"1"), Err(PiiError::Damaged)));
        assert!(!format!("{ours:?}").contains('7'), "it does not print");
    }

    #[test]
    fn what_was_stored_before_can_still_be_read() {
        let place = Place::in_row(person(1), Field::Document, Uuid::from_u128(2));
        let stored = hex::decode(STORED).unwrap();
        assert_eq!(*key(person(1), 7).open_text(&place, &stored).unwrap(), "22222222221");
    }

    proptest! {
        #[test]
        fn damage_is_seen_and_never_panics(at in 0_usize..60, bit in 0_u8..8, cut in 0_usize..60) {
            let (ours, place) = (key(person(1), 7), Place::new(person(1), Field::Bvn));
            let mut sealed = ours.seal(&place, b"22222222221").unwrap();
            prop_assert!(ours.open(&place, &sealed[..cut.min(sealed.len() - 1)]).is_err());
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert!(ours.open(&place, &sealed).is_err());
        }
    }
}
