//! A transaction: what was asked for, what became of it, and how each party sees it.
//!
//! `initiated` → `completed` or `failed`, and that is for ever. A recipient sees a transaction once its money has
//! arrived.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::{TransactionId, UserId, WalletId},
    money::Money,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Declares an enum of stable names, read and written as such in JSON and in the database.
macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($variant:ident = $name:literal,)* }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        $(#[$doc])*
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $type { $($variant,)* }

        impl $type {
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            pub(crate) fn named(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names! {
    /// Why money moves.
    TransactionType {
        Transfer = "transfer",
        Deposit = "deposit",
        Withdrawal = "withdrawal",
        Refund = "refund",
        Reversal = "reversal",
        Fee = "fee",
        Adjustment = "adjustment",
    }
}

names! {
    /// How far it is.
    #[schema(as = TransactionStatus)]
    Status {
        Initiated = "initiated",
        Pending = "pending",
        Completed = "completed",
        Failed = "failed",
        Reversed = "reversed",
        OutcomeUnknown = "outcome_unknown",
    }
}

/// One side of a movement: whose wallet, and how its owner is shown to the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Party {
    pub(crate) wallet: WalletId,
    pub(crate) user: UserId,
    /// Not known while nobody could tell it.
    pub(crate) name: Option<String>,
}

/// Why a transaction failed: a stable code, and words for its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = TransactionFailure)]
pub(crate) struct Failure {
    #[schema(example = "insufficient_funds")]
    pub(crate) code: String,
    pub(crate) message: String,
}

names! {
    /// What keeps money from leaving, though it is there.
    LimitName {
        DailyOutflow = "daily_outflow",
        NewDevice = "new_device",
        RecipientCeiling = "recipient_ceiling",
    }
}

/// The limit that a transfer would have passed, and what was left of it; in the transfer's currency, or for the recipients' ceilings in
/// refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OverLimit {
    pub(crate) limit: LimitName,
    pub(crate) most: i64,
    pub(crate) left: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) id: TransactionId,
    pub(crate) kind: TransactionType,
    pub(crate) status: Status,
    pub(crate) amount: Money,
    pub(crate) fee: Money,
    pub(crate) from: Option<Party>,
    pub(crate) to: Option<Party>,
    /// The sender's name where the money came from outside.
    pub(crate) outside_name: Option<String>,
    pub(crate) narration: Option<String>,
    pub(crate) reference: String,
    pub(crate) failure: Option<Failure>,
    /// Such a transfer is never handed to the ledger.
    pub(crate) over_limit: Option<OverLimit>,
    pub(crate) correlation_id: String,
    /// The trace of the running request, which is not kept.
    pub(crate) traceparent: Option<String>,
    /// The API key of the machine whose request runs, which is not kept either: the events name it.
    pub(crate) api_key: Option<Uuid>,
    /// While it is initiated.
    pub(crate) leased_until: Option<DateTime<Utc>>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
}

impl Transaction {
    /// Whether the person may know of it.
    pub(crate) fn concerns(&self, user: UserId) -> bool {
        let is = |party: &Option<Party>| party.as_ref().is_some_and(|party| party.user == user);
        is(&self.from) || (is(&self.to) && !matches!(self.status, Status::Initiated | Status::Failed))
    }

    /// Who is on the other side, for this person.
    pub(crate) fn counterparty_of(&self, user: UserId) -> Option<&str> {
        match (&self.from, &self.to) {
            (Some(from), Some(to)) if from.user == user => to.name.as_deref(),
            (Some(from), _) => from.name.as_deref(),
            (None, _) => self.outside_name.as_deref(),
        }
    }
}

/// A reference for people: the kind, and the id in Crockford's base 32, which has no letters that look like digits.
pub(crate) fn reference(prefix: &str, id: TransactionId) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    // 26 letters of 5 bits hold the 128 bits of the id.
    let bits = id.uuid().as_u128();
    let letter = |place: u32| {
        let index = (bits >> (place * 5)) & 31;
        usize::try_from(index).ok().and_then(|index| LETTERS.get(index)).copied().map_or('0', char::from)
    };
    std::iter::once(prefix).chain(["-"]).flat_map(str::chars).chain((0..26).rev().map(letter)).collect()
}

#[cfg(test)]
mod tests {
    use common_utils::money::Currency;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn party(name: &str) -> Party {
        Party { wallet: WalletId::new(), user: UserId::new(), name: Some(name.to_owned()) }
    }

    fn transfer(status: Status) -> (Transaction, UserId, UserId) {
        let (from, to) = (party("Ada O."), party("Bola A."));
        let (ada, bola) = (from.user, to.user);
        let transaction = Transaction {
            id: TransactionId::new(),
            kind: TransactionType::Transfer,
            status,
            amount: Money::new(1, Currency::NGN),
            fee: Money::new(0, Currency::NGN),
            from: Some(from),
            to: Some(to),
            outside_name: None,
            narration: None,
            reference: String::new(),
            failure: None,
            over_limit: None,
            correlation_id: String::new(),
            traceparent: None,
            api_key: None,
            leased_until: None,
            created_at: DateTime::UNIX_EPOCH,
            completed_at: None,
        };
        (transaction, ada, bola)
    }

    #[test]
    fn each_party_sees_the_other_and_strangers_see_nothing() {
        let (transaction, ada, bola) = transfer(Status::Completed);
        assert_eq!(transaction.counterparty_of(ada), Some("Bola A."));
        assert_eq!(transaction.counterparty_of(bola), Some("Ada O."));
        assert!(transaction.concerns(ada) && transaction.concerns(bola));
        assert!(!transaction.concerns(UserId::new()));
    }

    #[test]
    fn a_recipient_does_not_learn_what_failed() {
        for status in [Status::Initiated, Status::Failed] {
            let (transaction, ada, bola) = transfer(status);
            assert!(transaction.concerns(ada) && !transaction.concerns(bola));
        }
    }

    #[test]
    fn names_are_read_back() {
        for name in ["initiated", "pending", "completed", "failed", "reversed", "outcome_unknown"] {
            assert_eq!(Status::named(name).map(Status::name), Some(name));
            assert_eq!(serde_json::to_value(Status::named(name)).unwrap(), name);
        }
        assert_eq!(TransactionType::named("gift"), None);
    }

    #[test]
    fn a_reference_is_written_for_people() {
        let id = TransactionId::from(Uuid::from_u128(u128::MAX));
        assert_eq!(reference("TRF", id), format!("TRF-7{}", "Z".repeat(25)));
    }

    proptest! {
        #[test]
        fn two_ids_have_two_references(one: u128, other: u128) {
            let written = |bits| reference("TRF", TransactionId::from(Uuid::from_u128(bits)));
            prop_assert_eq!(written(one) == written(other), one == other);
            prop_assert_eq!(written(one).len(), 30);
        }
    }
}
