//! The rules of deposits that wait: what an order of a person still has to do.

use std::str::FromStr;

use super::error::ParkedError;
use crate::webhooks::entity::Deposit;

/// A deposit that its wallet did not take, locked.
#[derive(Debug, Clone)]
pub(super) struct Parked {
    pub(super) deposit: Deposit,
    /// Of the owner, if it was told; as it is under the lock.
    pub(super) tier: Option<i16>,
    pub(super) standing: Standing,
}

/// Where its money is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// On the suspense account.
    Waits,
    /// In the wallet.
    Released,
    /// Back at the bank.
    Returned { bank_reference: String },
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    Executed,
    AlreadyApplied,
}

impl Standing {
    /// Whether it has been released. What has gone back is not released any more.
    pub(super) fn is_released(&self) -> Result<bool, ParkedError> {
        match self {
            Self::Waits => Ok(false),
            Self::Released => Ok(true),
            Self::Returned { bank_reference } => Err(ParkedError::Returned(bank_reference.clone())),
        }
    }

    /// Whether it has gone back under this reference. Under another one it would go back a second time.
    pub(super) fn is_returned_as(&self, reference: &str) -> Result<bool, ParkedError> {
        match self {
            Self::Waits => Ok(false),
            Self::Released => Err(ParkedError::Released),
            Self::Returned { bank_reference } if bank_reference == reference => Ok(true),
            Self::Returned { bank_reference } => Err(ParkedError::Returned(bank_reference.clone())),
        }
    }
}

/// A reference as banks take it: up to 100 letters, figures and signs of ASCII, no blanks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankReference(String);

#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 100 letters, figures and signs, without blanks")]
pub struct UnfitReference;

impl FromStr for BankReference {
    type Err = UnfitReference;

    fn from_str(text: &str) -> Result<Self, UnfitReference> {
        let fits = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(UnfitReference) }
    }
}

impl BankReference {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returned(reference: &str) -> Standing {
        Standing::Returned { bank_reference: reference.to_owned() }
    }

    #[test]
    fn an_order_is_carried_out_once() {
        assert!(!Standing::Waits.is_released().unwrap());
        assert!(Standing::Released.is_released().unwrap());
        assert!(!Standing::Waits.is_returned_as("B1").unwrap());
        assert!(returned("B1").is_returned_as("B1").unwrap());
    }

    #[test]
    fn what_has_left_one_way_does_not_leave_another() {
        assert!(matches!(Standing::Released.is_returned_as("B1"), Err(ParkedError::Released)));
        for again in [returned("B1").is_released(), returned("B1").is_returned_as("B2")] {
            assert!(matches!(again, Err(ParkedError::Returned(reference)) if reference == "B1"));
        }
    }

    #[test]
    fn a_reference_is_one_word() {
        assert_eq!("NIP/2026-1".parse::<BankReference>().unwrap().as_str(), "NIP/2026-1");
        for unfit in ["", "a b", "a\n", "é", &"x".repeat(101)] {
            assert!(unfit.parse::<BankReference>().is_err(), "{unfit:?}");
        }
    }
}
