//! A transaction PIN, and which ones are too easily guessed.
//!
//! Five guesses are all that anybody has, so what counts is that none of them is likely: of the PINs that people choose, those that
//! repeat, count up or down, or are a date come first in every published list.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use zeroize::Zeroizing;

const SHORTEST: usize = 4;
const LONGEST: usize = 6;
/// Wrong ones in a row that lock it.
pub(super) const MOST_FAILURES: i16 = 5;

/// Four to six digits.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pin(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
#[error("must have {SHORTEST} to {LONGEST} digits")]
pub(crate) struct InvalidPin;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WeakPin {
    #[error("must not repeat itself")]
    Repeats,
    #[error("must not count up or down")]
    Counts,
    #[error("must not be a year or a date")]
    Date,
}

impl FromStr for Pin {
    type Err = InvalidPin;

    fn from_str(text: &str) -> Result<Self, InvalidPin> {
        let fits =
            (SHORTEST..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidPin) }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

impl Pin {
    pub(super) fn digits(&self) -> &str {
        &self.0
    }

    /// Whether it may be chosen.
    pub(crate) fn check(&self) -> Result<(), WeakPin> {
        let digits: Vec<u8> = self.0.bytes().map(|byte| byte - b'0').collect();
        if repeats(&digits) {
            return Err(WeakPin::Repeats);
        }
        if counts_by(&digits, 1) || counts_by(&digits, 9) {
            return Err(WeakPin::Counts);
        }
        if is_year(&digits) || is_date(&digits) { Err(WeakPin::Date) } else { Ok(()) }
    }
}

/// 1111, 1212, 123123: the same again and again.
fn repeats(digits: &[u8]) -> bool {
    let all_of = |part: usize| digits.chunks(part).all(|chunk| *chunk == digits[..part]);
    (1..=digits.len() / 2).filter(|part| digits.len().is_multiple_of(*part)).any(all_of)
}

/// 1234, 7890; by nine it is 4321, 2109.
fn counts_by(digits: &[u8], step: u8) -> bool {
    digits.windows(2).all(|pair| (pair[0] + step) % 10 == pair[1])
}

fn is_year(digits: &[u8]) -> bool {
    digits.len() == 4 && matches!(digits, [1, 9, ..] | [2, 0, ..])
}

/// Day and month, or with the year, in the orders in which people write them.
fn is_date(digits: &[u8]) -> bool {
    let numbers: Vec<u32> =
        digits.chunks_exact(2).map(|pair| u32::from(pair[0]) * 10 + u32::from(pair[1])).collect();
    // A leap year, so that the last of February is a day.
    let is_day = |day: u32, month: u32| NaiveDate::from_ymd_opt(2000, month, day).is_some();
    match (digits.len(), numbers.as_slice()) {
        (4, [one, other]) => is_day(*one, *other) || is_day(*other, *one),
        (6, [first, second, third]) => {
            is_day(*first, *second) || is_day(*second, *first) || is_day(*third, *second)
        }
        _ => false,
    }
}

/// A PIN as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredPin {
    pub(super) hash: String,
    pub(super) failures: i16,
    pub(super) locked_at: Option<DateTime<Utc>>,
}

impl StoredPin {
    /// Counts an attempt as failed until it turns out to be right; false where none is left.
    pub(super) fn attempt(&mut self) -> bool {
        let open = self.locked_at.is_none() && self.failures < MOST_FAILURES;
        self.failures += i16::from(open);
        open
    }

    /// It was wrong. True for the one that locks it.
    pub(super) fn refuse(&mut self, now: DateTime<Utc>) -> bool {
        let locks = self.failures >= MOST_FAILURES && self.locked_at.is_none();
        if locks {
            self.locked_at = Some(now);
        }
        locks
    }

    pub(super) fn left(&self) -> i16 {
        MOST_FAILURES - self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pin: &str) -> Result<(), WeakPin> {
        pin.parse::<Pin>().unwrap().check()
    }

    #[test]
    fn what_is_guessed_first_is_refused() {
        for pin in ["0000", "1111", "999999", "1212", "123123", "474747", "00000"] {
            assert_eq!(check(pin), Err(WeakPin::Repeats), "{pin}");
        }
        for pin in ["1234", "4321", "0123", "7890", "8901", "3210", "123456", "98765"] {
            assert_eq!(check(pin), Err(WeakPin::Counts), "{pin}");
        }
        for pin in ["1987", "2004", "3112", "1231", "2902", "310190", "013190", "900131", "290200"] {
            assert_eq!(check(pin), Err(WeakPin::Date), "{pin}");
        }
    }

    #[test]
    fn the_others_are_taken() {
        for pin in ["4739", "8065", "73946", "580274", "994731", "3202"] {
            assert_eq!(check(pin), Ok(()), "{pin}");
        }
        for wrong in ["", "123", "1234567", "12a4", " 1234", "१२३४"] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong:?}");
        }
        assert_eq!(format!("{:?}", "4739".parse::<Pin>().unwrap()), "Pin(…)");
    }

    proptest! {
        /// However attempts and their outcomes mix: five wrong ones lock it, once, and nothing is tried any more.
        #[test]
        fn it_locks_once(outcomes in prop::collection::vec(any::<bool>(), 1..30)) {
            let mut pin = StoredPin { hash: String::new(), failures: 0, locked_at: None };
            let (mut in_a_row, mut locks) = (0, 0);
            for right in outcomes {
                let tried = pin.attempt();
                prop_assert_eq!(tried, in_a_row < 5);
                if tried && right {
                    pin.failures = 0;
                    in_a_row = 0;
                } else if tried {
                    in_a_row += 1;
                    locks += i32::from(pin.refuse(DateTime::UNIX_EPOCH));
                    prop_assert_eq!(pin.left(), 5 - in_a_row);
                }
                prop_assert_eq!(locks, i32::from(in_a_row == 5));
            }
        }
    }
}
