//! What may leave a person's wallets: in which windows a transfer is counted, and in what words one is refused that would pass a
//! limit.
//!
//! - Counted is what goes to somebody else, in the currency of the limits. Between one's own wallets nothing leaves, and other
//!   currencies have no figures.
//! - It counts in the day of the country that it was planned in; and in the first hours of the device that the session is on,
//!   where that was bound a moment ago. A device is known by its owner and when it was bound, which its sessions' tokens say.
//! - How much a day may hold follows the tier that the directory has of the sender when the key is claimed. Who is not in it
//!   yet is worth tier 0.
//!
//! - A person's devices that are new share one limit: who binds another one does not begin anew.
//! - What a recipient's wallet may hold is the ledger's to refuse, and each such refusal tells something of what is in it. After a few
//!   in a day the sender is told no more: to those who have refused it, the ledger is not asked again that day.
//!
//! The database decides (`claim_transfers`), in the statement that claims the key and under the locks of the windows: so those that
//! come at the same time are decided one after the other. What fails is given back by the statement that settles it.

use chrono::{DateTime, Utc};
use common_limits::{HIGHEST_TIER, Limits};
use common_utils::{
    http::Problem,
    money::{Currency, Money},
};

use super::entity::RefusalCode;
use crate::transactions::{Failure, LimitName, OverLimit, Party, Transaction};

/// How often in a day somebody may learn that a recipient cannot hold an amount.
const CEILING_REFUSALS: i64 = 5;
/// Says nothing of what the recipient holds.
const TOLD_ENOUGH: &str = "Too many of your transfers were refused today because of what their recipients can hold. Try this one \
                           again tomorrow.";

/// The windows that a transfer is counted in, by their beginnings. None of them: nothing limits it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) day: Option<DateTime<Utc>>,
    /// Never without a day.
    pub(super) device: Option<DateTime<Utc>>,
}

impl Counted {
    /// Of a transfer that begins. `device_since`: when the device was bound that the sender's session is on.
    pub(super) fn of(transfer: &Transaction, device_since: Option<DateTime<Utc>>, limits: &Limits) -> Self {
        let at = transfer.created_at;
        let user = |party: &Party| party.user;
        let to_others = transfer.from.as_ref().map(user) != transfer.to.as_ref().map(user);
        if !limits.are_enforced() || !to_others || transfer.amount.currency != limits.currency() {
            return Self::default();
        }
        Self {
            day: Some(limits.day_begins(at)),
            device: device_since.filter(|since| limits.is_new_device(*since, at)),
        }
    }
}

/// The figures as the database takes them.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) currency: Currency,
    /// From tier 0 on.
    pub(super) daily: Vec<Option<i64>>,
    pub(super) new_device: Option<i64>,
    pub(super) ceiling_refusals: i64,
}

impl Figures {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            currency: limits.currency(),
            daily: (0..=HIGHEST_TIER).map(|tier| limits.of(tier).daily_outflow).collect(),
            new_device: limits.new_device_outflow(),
            ceiling_refusals: CEILING_REFUSALS,
        }
    }
}

/// What is written down of it.
pub(super) fn failure(over: OverLimit, currency: Currency) -> Failure {
    let (most, left) = (Money::new(over.most, currency), Money::new(over.left, currency));
    let message = match over.limit {
        LimitName::DailyOutflow => {
            format!("Your tier lets {most} a day go to other people; {left} of it is left today.")
        }
        LimitName::NewDevice => {
            format!("New devices send at most {most} to other people at first; {left} of it is left.")
        }
        LimitName::RecipientCeiling => TOLD_ENOUGH.to_owned(),
    };
    Failure { code: RefusalCode::LimitExceeded.name().to_owned(), message }
}

/// The refusal as the sender is told it: beside the words, which limit it was, for a program; unless no smaller amount would do.
pub(super) fn problem(over: OverLimit, currency: Currency, message: String) -> Problem {
    let problem = Problem::unprocessable(RefusalCode::LimitExceeded.name(), message);
    if over.limit == LimitName::RecipientCeiling {
        return problem;
    }
    let left = Money::new(over.left, currency);
    problem.of_field("amount.amount", over.limit.name(), format!("must be at most {left} for now"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use common_utils::{
        config::Env,
        ids::{UserId, WalletId},
    };

    use super::*;
    use crate::transfers::entity::{self, Parties, Recipient, TransferRequest};

    fn limits(values: &[(&str, &str)]) -> Limits {
        let values: HashMap<String, String> =
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Limits::from_env(&Env::from_values("transaction", values)).unwrap()
    }

    fn noon() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn transfer(from: UserId, to: UserId, currency: Currency) -> Transaction {
        let party = |user| Party { wallet: WalletId::new(), user, name: None };
        let (from, to) = (party(from), party(to));
        let (wallet, amount) = (Recipient::Wallet(to.wallet), Money::new(1, currency));
        let request = TransferRequest { from: from.wallet, to: wallet, amount, narration: None };
        entity::initiated(request, Parties { from, to }, None, String::new(), noon(), noon())
    }

    #[test]
    fn what_goes_to_others_in_the_countrys_currency_is_counted() {
        let (ada, bola) = (UserId::new(), UserId::new());
        let counted = |from, to, currency, limits: &Limits| {
            Counted::of(&transfer(from, to, currency), Some(noon()), limits)
        };
        let (on, off) = (limits(&[]), limits(&[("TIER_LIMITS", "off")]));
        let midnight = "2026-02-28T23:00:00Z".parse().ok();
        assert_eq!(counted(ada, bola, Currency::NGN, &on), Counted { day: midnight, device: Some(noon()) });
        for nowhere in [
            counted(ada, ada, Currency::NGN, &on),
            counted(ada, bola, Currency::USD, &on),
            counted(ada, bola, Currency::NGN, &off),
        ] {
            assert_eq!(nowhere, Counted::default());
        }
    }

    #[test]
    fn a_device_counts_while_it_is_new() {
        let sent = transfer(UserId::new(), UserId::new(), Currency::NGN);
        let device = |since: Option<&str>| {
            Counted::of(&sent, since.map(|text| text.parse().unwrap()), &limits(&[])).device.is_some()
        };
        assert!(device(Some("2026-02-28T12:00:01Z")));
        assert!(!device(Some("2026-02-28T12:00:00Z")) && !device(None));
    }

    #[test]
    fn a_refusal_names_the_limit_and_what_is_left() {
        let told = |limit| {
            let over = OverLimit { limit, most: 5_000_000, left: 123 };
            let failure = failure(over, Currency::NGN);
            let problem = problem(over, Currency::NGN, failure.message.clone());
            (failure, problem.errors()[0].clone())
        };
        let (failure, error) = told(LimitName::DailyOutflow);
        assert_eq!(failure.code, "limit_exceeded");
        assert!(failure.message.contains("NGN 50000.00 a day"), "{}", failure.message);
        assert!(failure.message.contains("NGN 1.23 of it is left"), "{}", failure.message);
        assert_eq!((error.field.as_str(), &*error.code), ("amount.amount", "daily_outflow"));
        let (failure, error) = told(LimitName::NewDevice);
        assert!(failure.message.starts_with("New devices"), "{}", failure.message);
        assert_eq!(error.code, "new_device");
    }
}
