//! A code, and what happens when one is presented.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use zeroize::Zeroizing;

use crate::users::ContactKind;

pub(crate) const LIFETIME: TimeDelta = TimeDelta::minutes(10);
const MOST_ATTEMPTS: i16 = 5;
const DIGITS: usize = 6;
const CODES: u32 = 1_000_000;

/// Six digits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Code(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
#[error("must have {DIGITS} digits")]
pub(crate) struct InvalidCode;

impl Code {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(format!("{:06}", rand::random_range(0..CODES))))
    }

    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let fits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidCode) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// What a code is for: the one for another purpose is another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    VerifyEmail,
    VerifyPhone,
    ChangeEmail,
    ChangePhone,
}

impl Purpose {
    pub(crate) fn contact(self) -> ContactKind {
        match self {
            Self::VerifyEmail | Self::ChangeEmail => ContactKind::Email,
            Self::VerifyPhone | Self::ChangePhone => ContactKind::Phone,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::VerifyPhone => "verify_phone",
            Self::ChangeEmail => "change_email",
            Self::ChangePhone => "change_phone",
        }
    }
}

/// A code as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredCode {
    pub(crate) hash: Vec<u8>,
    pub(crate) attempts: i16,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) used_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Right,
    /// It was right before, and the answer may have been lost: nothing is to be done again.
    Repeated,
    Wrong,
    /// It expired, was tried too often, or was used and this is another one.
    Dead,
}

impl StoredCode {
    /// Counts an attempt. Hashes under a key of ours are compared, whose differences tell nobody anything.
    pub(crate) fn present(&mut self, hash: &[u8], now: DateTime<Utc>) -> Verdict {
        let same = self.hash == hash;
        if now >= self.expires_at {
            return Verdict::Dead;
        }
        if self.used_at.is_some() {
            return if same { Verdict::Repeated } else { Verdict::Dead };
        }
        if self.attempts >= MOST_ATTEMPTS {
            return Verdict::Dead;
        }
        self.attempts += 1;
        if !same {
            return Verdict::Wrong;
        }
        self.used_at = Some(now);
        Verdict::Right
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn stored() -> StoredCode {
        StoredCode { hash: vec![1], attempts: 0, expires_at: at(600), used_at: None }
    }

    #[test]
    fn a_code_is_six_digits_and_does_not_print() {
        for _ in 0..100 {
            let code = Code::random();
            assert_eq!(code.digits().parse::<Code>().unwrap(), code);
        }
        for wrong in ["", "12345", "1234567", "12345a", " 12345", "+12345", "１２３４５６", "-12345"] {
            assert!(wrong.parse::<Code>().is_err(), "{wrong:?}");
        }
        assert_eq!(format!("{:?}", Code::random()), "Code(…)");
    }

    #[test]
    fn the_fifth_attempt_may_be_right_and_the_sixth_not() {
        let mut code = stored();
        for _ in 0..4 {
            assert_eq!(code.present(&[2], at(1)), Verdict::Wrong);
        }
        let mut fifth_wrong = code.clone();
        assert_eq!(code.present(&[1], at(1)), Verdict::Right);
        assert_eq!(fifth_wrong.present(&[2], at(1)), Verdict::Wrong);
        assert_eq!(fifth_wrong.present(&[1], at(1)), Verdict::Dead);
    }

    #[test]
    fn it_dies_with_its_time_and_repeats_only_itself() {
        assert_eq!(stored().present(&[1], at(600)), Verdict::Dead);
        let mut code = stored();
        assert_eq!(code.present(&[1], at(599)), Verdict::Right);
        assert_eq!(code.present(&[1], at(599)), Verdict::Repeated);
        assert_eq!(code.present(&[2], at(599)), Verdict::Dead);
        assert_eq!(code.present(&[1], at(600)), Verdict::Dead);
    }

    proptest! {
        /// Whatever is presented when: it is right at most once, within its time, and after at most four wrong ones.
        #[test]
        fn it_is_right_at_most_once_and_in_time(tries in prop::collection::vec((1_u8..4, 0_i64..100), 1..20)) {
            let (mut code, mut now, mut right, mut wrong) = (stored(), 0, 0, 0);
            for (guess, pause) in tries {
                now += pause;
                match code.present(&[guess], at(now)) {
                    Verdict::Right => {
                        right += 1;
                        prop_assert!(guess == 1 && now < 600 && wrong < 5);
                    }
                    Verdict::Repeated => prop_assert!(guess == 1 && right == 1 && now < 600),
                    Verdict::Wrong => {
                        wrong += 1;
                        prop_assert!(guess != 1 && right == 0);
                    }
                    Verdict::Dead => prop_assert!(now >= 600 || wrong == 5 || right == 1),
                }
                prop_assert!(right <= 1 && wrong <= 5 && code.attempts <= 5);
            }
        }
    }
}
