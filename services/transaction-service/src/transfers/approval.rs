//! Which transfers take a fresh approval of their sender: those of more than an operator's figure. The transaction PIN of the last
//! five minutes approves, and so does any other fresh proof; which they are, and how they are given, is common-auth's.
//!
//! A machine is not asked: it has no PIN, and its owner gave the scope with their password. Whose key was used before is not
//! asked again: it has been decided.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use common_auth::{
    Claims,
    step_up::{self, Approval},
};
use common_utils::money::{Currency, Money};

use super::TransferError;

/// The most that goes without an approval, by currency; of a currency that is not named everything does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApprovalAbove(Vec<Money>);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a currency once, and what goes without approval in minor units, such as NGN=10000000,USD=50000"
)]
pub struct InvalidApprovalAbove;

impl FromStr for ApprovalAbove {
    type Err = InvalidApprovalAbove;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut figures: Vec<Money> = Vec::new();
        for part in text.split(',') {
            let (currency, amount) = part.split_once('=').ok_or(InvalidApprovalAbove)?;
            let currency: Currency = currency.trim().parse().map_err(|_| InvalidApprovalAbove)?;
            let amount: i64 = amount.trim().parse().map_err(|_| InvalidApprovalAbove)?;
            if amount < 0 || figures.iter().any(|figure| figure.currency == currency) {
                return Err(InvalidApprovalAbove);
            }
            figures.push(Money::new(amount, currency));
        }
        Ok(Self(figures))
    }
}

impl ApprovalAbove {
    /// Whether whoever has these claims may send the amount as they come.
    pub(super) fn check(
        &self,
        claims: &Claims,
        amount: Money,
        now: DateTime<Utc>,
    ) -> Result<(), TransferError> {
        if claims.is_machine() || !self.asks(amount) {
            return Ok(());
        }
        step_up::require::<Approval>(claims, now)
            .map_err(|refusal| TransferError::NotApproved(Box::new(refusal)))
    }

    fn asks(&self, amount: Money) -> bool {
        self.0.iter().any(|figure| figure.currency == amount.currency && amount.amount > figure.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_the_figure_is_asked_for() {
        let above: ApprovalAbove = "NGN=10000000, USD=0".parse().unwrap();
        let asks = |amount, currency| above.asks(Money::new(amount, currency));
        assert!(!asks(10_000_000, Currency::NGN) && asks(10_000_001, Currency::NGN));
        assert!(asks(1, Currency::USD) && !asks(i64::MAX, Currency::KES));
        assert!(!ApprovalAbove::default().asks(Money::new(i64::MAX, Currency::NGN)));
    }

    #[test]
    fn figures_that_make_no_sense_are_refused() {
        for wrong in ["", "NGN", "NGN=", "=1", "NGN=1.5", "NGN=-1", "naira=1", "NGN=1,", "NGN=1,NGN=2"] {
            assert_eq!(wrong.parse::<ApprovalAbove>(), Err(InvalidApprovalAbove), "{wrong}");
        }
    }
}
