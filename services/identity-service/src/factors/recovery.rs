//! Recovery codes: ten, each good once, for who has lost what they sign in with. 80 random bits each, so a keyed hash stores them well
//! enough: nobody guesses them, with the key or without.

use std::{fmt, str::FromStr};

use common_utils::{crypto::keyed_hash, ids::UserId};
use zeroize::Zeroizing;

/// Handed out at once.
pub(super) const CODES: usize = 10;
const LETTERS: usize = 16;
const GROUP: usize = 4;
/// Without those that are read as another.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Sixteen letters and digits, without what people put between them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RecoveryCode(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
#[error("must have {LETTERS} letters and digits, as it was shown")]
pub(crate) struct InvalidRecoveryCode;

impl RecoveryCode {
    pub(super) fn random() -> Self {
        let letter = |_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())]);
        Self(Zeroizing::new((0..LETTERS).map(letter).collect()))
    }

    /// As it is shown: in groups of four.
    pub(super) fn shown(&self) -> String {
        let groups: Vec<&str> = (0..LETTERS / GROUP).map(|group| &self.0[group * GROUP..][..GROUP]).collect();
        groups.join("-")
    }

    /// Bound to its owner.
    pub(super) fn hash(&self, key: &[u8; 32], owner: UserId) -> [u8; 32] {
        keyed_hash(key, &[owner.uuid().as_bytes(), self.0.as_bytes()])
    }
}

impl FromStr for RecoveryCode {
    type Err = InvalidRecoveryCode;

    fn from_str(text: &str) -> Result<Self, InvalidRecoveryCode> {
        let between = |letter: &char| matches!(letter, '-' | ' ');
        let plain: Zeroizing<String> =
            Zeroizing::new(text.trim().chars().filter(|letter| !between(letter)).take(LETTERS + 1).collect());
        let plain = Zeroizing::new(plain.to_lowercase());
        let known = plain.len() == LETTERS && plain.bytes().all(|letter| ALPHABET.contains(&letter));
        if known { Ok(Self(plain)) } else { Err(InvalidRecoveryCode) }
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_was_shown_and_as_people_type_it() {
        for _ in 0..100 {
            let code = RecoveryCode::random();
            let shown = code.shown();
            assert_eq!(shown.len(), 19);
            for typed in [
                shown.clone(),
                shown.to_uppercase(),
                shown.replace('-', " "),
                format!(" {} ", shown.replace('-', "")),
            ] {
                assert_eq!(typed.parse::<RecoveryCode>().unwrap(), code, "{typed:?}");
            }
        }
    }

    #[test]
    fn nothing_else_is_a_code_and_none_prints() {
        for wrong in
            ["", "abcd-efgh-jkmn", "abcd-efgh-jkmn-pqrsx", "abcd-efgh-jkmn-pqr0", "abcd-efgh-jkmn-pqrẞ", "🙂"]
        {
            assert!(wrong.parse::<RecoveryCode>().is_err(), "{wrong:?}");
        }
        assert_eq!(format!("{:?}", RecoveryCode::random()), "RecoveryCode(…)");
    }

    #[test]
    fn the_same_code_of_somebody_else_is_another() {
        let (code, owner) = (RecoveryCode::random(), UserId::new());
        assert_eq!(code.hash(&[7; 32], owner), code.hash(&[7; 32], owner));
        assert_ne!(code.hash(&[7; 32], owner), code.hash(&[7; 32], UserId::new()));
        assert_ne!(code.hash(&[7; 32], owner), code.hash(&[8; 32], owner));
    }
}
