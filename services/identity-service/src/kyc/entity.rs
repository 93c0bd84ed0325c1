//! What a person gives to be verified.

use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate};
use zeroize::Zeroizing;

/// A wallet's owner is of age.
const YOUNGEST: u32 = 18;
/// Nobody alive was born before.
const EARLIEST_YEAR: i32 = 1900;

/// A bank verification number: eleven digits of which nothing more can be assumed. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bvn(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
#[error("must be eleven digits")]
pub(crate) struct InvalidBvn;

impl Bvn {
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl FromStr for Bvn {
    type Err = InvalidBvn;

    fn from_str(text: &str) -> Result<Self, InvalidBvn> {
        let fits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidBvn) }
    }
}

impl fmt::Debug for Bvn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bvn(*******{})", &self.0[7..])
    }
}

/// The birthday of somebody who is of age. It does not print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DateOfBirth(NaiveDate);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidDateOfBirth {
    #[error("must be a date such as 1990-01-31")]
    NotADate,
    #[error("must be a day in the past, from {EARLIEST_YEAR} on")]
    OutOfRange,
    #[error("must be at least {YOUNGEST} years ago")]
    TooYoung,
}

impl InvalidDateOfBirth {
    /// The code of the field.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotADate => "invalid",
            Self::OutOfRange => "out_of_range",
            Self::TooYoung => "too_young",
        }
    }
}

impl DateOfBirth {
    pub(crate) fn parse(text: &str, today: NaiveDate) -> Result<Self, InvalidDateOfBirth> {
        // chrono also takes one-digit months and signs; here a date has one spelling.
        let date: Option<NaiveDate> = text.parse().ok();
        let date = date.filter(|date| date.to_string() == text).ok_or(InvalidDateOfBirth::NotADate)?;
        if date >= today || date.year() < EARLIEST_YEAR {
            return Err(InvalidDateOfBirth::OutOfRange);
        }
        let age = today.years_since(date).unwrap_or_default();
        if age < YOUNGEST { Err(InvalidDateOfBirth::TooYoung) } else { Ok(Self(date)) }
    }
}

/// As it is sent to the provider and stored, encrypted.
impl fmt::Display for DateOfBirth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for DateOfBirth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DateOfBirth(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bvn_is_eleven_digits_and_prints_masked() {
        let bvn: Bvn = "22222221234".parse().unwrap();
        assert_eq!(format!("{bvn:?}"), "Bvn(*******1234)");
        for wrong in
            ["", "2222222222", "222222222222", "2222222222a", "２２２２２２２２２２２", " 2222222222"]
        {
            assert!(wrong.parse::<Bvn>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_date_of_birth_is_real_past_and_of_age() {
        let parse = |text| DateOfBirth::parse(text, NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
        assert!(parse("2008-03-01").is_ok(), "eighteen today");
        assert_eq!(parse("2008-03-02"), Err(InvalidDateOfBirth::TooYoung));
        assert!(parse("2008-02-29").is_ok());
        for wrong in [
            "2007-02-29",
            "1990-1-31",
            "31-01-1990",
            "+1990-01-31",
            "1990-01-31T00:00:00Z",
            " 1990-01-31",
            "",
        ] {
            assert_eq!(parse(wrong), Err(InvalidDateOfBirth::NotADate), "{wrong}");
        }
        for wrong in ["2026-03-01", "2999-01-01", "1899-12-31", "0000-01-01"] {
            assert_eq!(parse(wrong), Err(InvalidDateOfBirth::OutOfRange), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(text in "\\PC{0,20}|[0-9-]{0,12}|-?[0-9]{4,8}-[0-9]{2}-[0-9]{2}") {
            let _ = DateOfBirth::parse(&text, NaiveDate::from_ymd_opt(2026, 3, 1).unwrap());
            let _ = text.parse::<Bvn>();
        }
    }
}
