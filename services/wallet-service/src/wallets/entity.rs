//! A wallet, and what a name or a number of them may be.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::{UserId, WalletId},
    money::Currency,
};

use crate::ledger::{AccountStatus, Bounds};

/// How many wallets a person may have; the schema says the same.
pub const MOST_WALLETS: i16 = 10;
const LAST_PLACE: i16 = MOST_WALLETS - 1;
const LONGEST_NAME: usize = 60;

/// A wallet with what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    pub id: WalletId,
    pub user_id: UserId,
    pub currency: Currency,
    pub name: Option<WalletName>,
    pub status: AccountStatus,
    /// The one that everybody gets when they register.
    pub is_default: bool,
    pub created_at: DateTime<Utc>,
    pub posted: i64,
    pub held: i64,
    pub bounds: Bounds,
    /// Account numbers at banks that lead to it.
    pub account_numbers: Vec<AccountNumber>,
}

/// An account number at a bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountNumber {
    pub number: String,
    pub name: String,
    pub bank_name: String,
    pub bank_code: String,
    pub provider: String,
}

/// What a person calls a wallet: 1 to 60 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {LONGEST_NAME} characters, none of them a control character")]
pub struct UnfitName;

impl WalletName {
    /// Spaces around it do not count.
    pub fn parse(text: &str) -> Result<Self, UnfitName> {
        let text = text.trim();
        let fits = (1..=LONGEST_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(UnfitName) }
    }

    /// One that was kept.
    pub(super) fn kept(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A wallet to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWallet {
    pub id: WalletId,
    pub user_id: UserId,
    pub currency: Currency,
    pub name: Option<WalletName>,
    pub place: Place,
    /// What may come in, by the tier of its owner.
    pub intake_ceiling: Option<i64>,
    pub created_at: DateTime<Utc>,
}

impl NewWallet {
    /// As it is when it has been opened.
    pub fn opened(self) -> Wallet {
        Wallet {
            id: self.id,
            user_id: self.user_id,
            currency: self.currency,
            name: self.name,
            status: AccountStatus::Active,
            is_default: self.place == Place::DEFAULT,
            created_at: self.created_at,
            posted: 0,
            held: 0,
            bounds: Bounds { intake_ceiling: self.intake_ceiling, ..Bounds::ZERO },
            account_numbers: Vec::new(),
        }
    }
}

/// One of the ten places for wallets that a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(i16);

impl Place {
    /// That of the wallet which everybody gets when they register. It is kept free for it: somebody who opens wallets
    /// before that event has come still gets it.
    pub const DEFAULT: Self = Self(0);

    /// The one behind the last that is taken; None when there is no more.
    pub fn after(last_taken: i16) -> Option<Self> {
        (last_taken < LAST_PLACE).then(|| Self(last_taken + 1))
    }

    pub fn number(self) -> i16 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_nine_places_beside_the_default() {
        let places: Vec<i16> = std::iter::successors(Place::after(0), |place| Place::after(place.number()))
            .map(Place::number)
            .collect();
        assert_eq!(places, (1..=9).collect::<Vec<i16>>());
    }

    #[test]
    fn a_name_is_short_and_printable() {
        assert_eq!(WalletName::parse("  Rent ").unwrap().as_str(), "Rent");
        assert!(WalletName::parse(&"ü".repeat(60)).is_ok());
        for wrong in ["", "   ", "a\0b", "a\nb", &"x".repeat(61)] {
            assert_eq!(WalletName::parse(wrong), Err(UnfitName), "{wrong:?}");
        }
    }
}
