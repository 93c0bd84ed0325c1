//! What a person tells when they open a case. Stored as one encrypted text; it does not print.

use std::{fmt, str::FromStr};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::entity::{Bvn, DateOfBirth};
use crate::users::{PersonName, entity::User};

/// A national identification number: eleven digits of which nothing more can be assumed. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Nin(Zeroizing<String>);

#[derive(Debug, thiserror::Error)]
#[error("must be eleven digits")]
pub(crate) struct InvalidNin;

impl Nin {
    pub(crate) fn digits(&self) -> &str {
        &self.0
    }
}

impl FromStr for Nin {
    type Err = InvalidNin;

    fn from_str(text: &str) -> Result<Self, InvalidNin> {
        let fits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        if fits { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(InvalidNin) }
    }
}

impl fmt::Debug for Nin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nin({})", masked(self.digits()))
    }
}

/// The last four digits of eleven.
pub(crate) fn masked(digits: &str) -> String {
    format!("*******{}", digits.get(7..).unwrap_or_default())
}

/// Where somebody lives, as they write it. It does not print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Address {
    pub(crate) line: String,
    pub(crate) city: String,
    pub(crate) state: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// With the names that the person has when they open it: those are looked up, and have to be theirs still when it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
    pub(crate) bvn: Option<Bvn>,
    pub(crate) nin: Option<Nin>,
    pub(crate) date_of_birth: DateOfBirth,
    pub(crate) address: Option<Address>,
}

/// As they are encrypted.
#[derive(Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
struct Stored {
    first_name: String,
    last_name: String,
    bvn: Option<String>,
    nin: Option<String>,
    date_of_birth: String,
    address: Option<Address>,
}

#[derive(Debug, thiserror::Error)]
#[error("stored claims cannot be read")]
pub(crate) struct Unreadable;

impl Claims {
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
        let stored = Stored {
            first_name: self.first_name.as_str().to_owned(),
            last_name: self.last_name.as_str().to_owned(),
            bvn: self.bvn.as_ref().map(|bvn| bvn.digits().to_owned()),
            nin: self.nin.as_ref().map(|nin| nin.digits().to_owned()),
            date_of_birth: self.date_of_birth.to_string(),
            address: self.address.clone(),
        };
        serde_json::to_vec(&stored).map(Zeroizing::new).map_err(|_| Unreadable)
    }

    /// What was taken once is not held against today's rules again.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Unreadable> {
        // serde's own words would tell what stands there.
        let stored: Stored = serde_json::from_slice(bytes).map_err(|_| Unreadable)?;
        let read = |text: &Option<String>| text.as_deref().map(str::to_owned).map(Zeroizing::new);
        let bvn = read(&stored.bvn).map(|text| text.parse()).transpose().map_err(|_| Unreadable)?;
        let nin = read(&stored.nin).map(|text| text.parse()).transpose().map_err(|_| Unreadable)?;
        let date_of_birth =
            DateOfBirth::parse(&stored.date_of_birth, NaiveDate::MAX).map_err(|_| Unreadable)?;
        let first_name = stored.first_name.parse().map_err(|_| Unreadable)?;
        let last_name = stored.last_name.parse().map_err(|_| Unreadable)?;
        Ok(Self { first_name, last_name, bvn, nin, date_of_birth, address: stored.address.clone() })
    }

    /// As it is held against records.
    pub(crate) fn whole_name(&self) -> String {
        format!("{} {}", self.first_name.as_str(), self.last_name.as_str())
    }

    /// Whether the person still has the names that were looked up.
    pub(crate) fn name(&self, user: &User) -> bool {
        self.first_name == user.first_name && self.last_name == user.last_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            first_name: "Ada".parse().unwrap(),
            last_name: "Obi".parse().unwrap(),
            bvn: Some("22222221234".parse().unwrap()),
            nin: Some("11111111234".parse().unwrap()),
            date_of_birth: DateOfBirth::parse("1990-01-31", NaiveDate::from_ymd_opt(2026, 3, 1).unwrap())
                .unwrap(),
            address: Some(Address {
                line: "1 Marina Road".to_owned(),
                city: "Lagos".to_owned(),
                state: "Lagos".to_owned(),
            }),
        }
    }

    #[test]
    fn claims_are_read_back_and_print_nothing() {
        let whole = claims();
        assert_eq!(Claims::from_bytes(&whole.to_bytes().unwrap()).unwrap(), whole);
        let few = Claims { bvn: None, address: None, ..claims() };
        assert_eq!(Claims::from_bytes(&few.to_bytes().unwrap()).unwrap(), few);
        let printed = format!("{whole:?}");
        for secret in ["2222222123", "1111111123", "1990", "Marina", "Lagos", "Ada"] {
            assert!(!printed.contains(secret), "{printed}");
        }
        assert!(Claims::from_bytes(b"{\"bvn\":\"1\"}").is_err());
    }

    #[test]
    fn a_nin_is_eleven_digits() {
        for wrong in ["", "1111111123", "111111112345", "1111111123a", "１１１１１１１１１１１"] {
            assert!(wrong.parse::<Nin>().is_err(), "{wrong:?}");
        }
    }
}
