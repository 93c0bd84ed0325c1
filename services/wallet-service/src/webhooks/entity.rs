//! The rules of webhooks: what one may lead to, and when a doubtful one is given up.
//!
//! A webhook is only a hint. Money is credited on the provider's own record, and only where that record, the webhook
//! and what we know of the account number all say the same.

use common_utils::{
    ids::{UserId, WalletId},
    money::Money,
};

use crate::{ledger::RefusalCode, providers::ProviderTransaction};

/// A webhook, taken by this worker for the length of its lease.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) id: uuid::Uuid,
    pub(super) provider: String,
    pub(super) body: Vec<u8>,
    /// This one included.
    pub(super) attempts: i32,
    pub(super) correlation_id: String,
}

/// How a webhook ends. The name is kept with it and is a label of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Credited,
    /// The money came in, and the wallet may not take it: it is frozen or closed.
    Suspended,
    /// The same: it is above a limit of the wallet or its owner.
    AboveLimit,
    /// Another webhook told of the same money.
    AlreadyCredited,
    /// A kind that we do not act on.
    UnknownEvent,
    Failed(Failure),
}

/// Why nothing was credited. A person has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("the body is not of the provider's contract")]
    Malformed,
    #[error("the provider does not know the reference")]
    UnknownReference,
    #[error("the provider has it, and not as completed")]
    Incomplete,
    #[error("it is no money that came in from a bank")]
    NotInbound,
    #[error("the amount is another one than the provider's record says")]
    AmountMismatch,
    #[error("the account is that of another customer than the webhook says")]
    CustomerMismatch,
    #[error("the account number leads to no wallet")]
    UnknownAccount,
    #[error("the provider refuses to tell")]
    Refused,
    #[error("the provider tells something that is not of its contract")]
    Unexpected,
    #[error("the ledger cannot write it as a posting")]
    NoPosting,
    /// The platform's own accounts always take a deposit; this one did not.
    #[error("the suspense account refused it")]
    SuspenseRefused,
    #[error("tried too often")]
    GaveUp,
}

impl Failure {
    pub(super) const ALL: [Self; 12] = [
        Self::Malformed,
        Self::UnknownReference,
        Self::Incomplete,
        Self::NotInbound,
        Self::AmountMismatch,
        Self::CustomerMismatch,
        Self::UnknownAccount,
        Self::Refused,
        Self::Unexpected,
        Self::NoPosting,
        Self::SuspenseRefused,
        Self::GaveUp,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownReference => "unknown_reference",
            Self::Incomplete => "incomplete",
            Self::NotInbound => "not_inbound",
            Self::AmountMismatch => "amount_mismatch",
            Self::CustomerMismatch => "customer_mismatch",
            Self::UnknownAccount => "unknown_account",
            Self::Refused => "refused",
            Self::Unexpected => "unexpected",
            Self::NoPosting => "no_posting",
            Self::SuspenseRefused => "suspense_refused",
            Self::GaveUp => "gave_up",
        }
    }

    /// It may be the order of things that is wrong: the webhook came before the record was visible, or before we
    /// wrote down the account number. What contradicts itself does not get better.
    fn may_pass(self) -> bool {
        matches!(
            self,
            Self::UnknownReference
                | Self::Incomplete
                | Self::UnknownAccount
                | Self::Refused
                | Self::Unexpected
        )
    }

    /// Somebody with the right key says what the provider's own record does not.
    pub(super) fn is_suspicious(self) -> bool {
        matches!(
            self,
            Self::UnknownReference | Self::NotInbound | Self::AmountMismatch | Self::CustomerMismatch
        )
    }
}

impl Ending {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Credited => "credited",
            Self::Suspended => "suspended",
            Self::AboveLimit => "above_limit",
            Self::AlreadyCredited => "already_credited",
            Self::UnknownEvent => "unknown_event",
            Self::Failed(failure) => failure.name(),
        }
    }

    /// As the table has it.
    pub(super) fn status(self) -> &'static str {
        match self {
            Self::Credited | Self::Suspended | Self::AboveLimit | Self::AlreadyCredited => "handled",
            Self::UnknownEvent => "ignored",
            Self::Failed(_) => "failed",
        }
    }
}

/// Why a wallet does not take a deposit that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// More than the owner's tier may take in at once.
    SingleDeposit,
    /// The ledger says so.
    Refused(RefusalCode),
}

impl Obstacle {
    /// Those that pass when the limit moves or money goes out.
    pub(super) const LIMITS: [Self; 2] = [Self::SingleDeposit, Self::Refused(RefusalCode::CeilingExceeded)];

    /// As it is kept with the deposit. The ledger's own are as other services read them.
    pub(super) fn name(self) -> String {
        match self {
            Self::SingleDeposit => "single_deposit_exceeded".to_owned(),
            Self::Refused(code) => {
                let json = serde_json::to_value(code).unwrap_or_default();
                json.as_str().map_or_else(|| code.to_string(), str::to_owned)
            }
        }
    }

    pub(super) fn ending(self) -> Ending {
        if Self::LIMITS.contains(&self) { Ending::AboveLimit } else { Ending::Suspended }
    }
}

/// How often a webhook is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// While the provider's answer is one that may still change.
    pub doubtful: i32,
    /// While somebody whom we need does not answer.
    pub unanswered: i32,
}

impl Default for Patience {
    /// With the usual rests: some twenty minutes, and a week.
    fn default() -> Self {
        Self { doubtful: 12, unanswered: 2_000 }
    }
}

impl Patience {
    /// Whether this failure is tried again after so many attempts.
    pub(super) fn bears(self, failure: Failure, attempts: i32) -> bool {
        failure.may_pass() && attempts < self.doubtful
    }
}

/// What a webhook says of money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) reference: String,
    pub(super) amount: Money,
    pub(super) customer_id: String,
}

/// To whom an account number leads here, and as whom its provider knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) user_id: UserId,
    pub(super) wallet_id: WalletId,
    pub(super) customer_id: String,
    /// Of the owner, if it was told.
    pub(super) tier: Option<i16>,
}

/// Money that came in, believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deposit {
    pub(super) provider: String,
    pub(super) reference: String,
    pub(super) user_id: UserId,
    pub(super) wallet_id: WalletId,
    pub(super) amount: Money,
    pub(super) sender_name: Option<String>,
}

impl Claim {
    /// The account that the provider's record names, if the record is one of money that came in.
    pub(super) fn account_number<'a>(&self, record: &'a ProviderTransaction) -> Result<&'a str, Failure> {
        if !record.inbound || record.amount.amount <= 0 {
            return Err(Failure::NotInbound);
        }
        if record.amount != self.amount {
            return Err(Failure::AmountMismatch);
        }
        if !record.completed {
            return Err(Failure::Incomplete);
        }
        record.account_number.as_deref().ok_or(Failure::Unexpected)
    }

    /// The deposit, if the account's holder is the customer of whom the webhook speaks.
    pub(super) fn into_deposit(
        self,
        provider: &str,
        record: ProviderTransaction,
        holder: &Holder,
    ) -> Result<Deposit, Failure> {
        if holder.customer_id != self.customer_id {
            return Err(Failure::CustomerMismatch);
        }
        Ok(Deposit {
            provider: provider.to_owned(),
            reference: self.reference,
            user_id: holder.user_id,
            wallet_id: holder.wallet_id,
            amount: record.amount,
            sender_name: record.sender_name,
        })
    }
}

#[cfg(test)]
mod tests {
    use common_utils::money::Currency;

    use super::*;

    fn naira(kobo: i64) -> Money {
        Money::new(kobo, Currency::NGN)
    }

    fn claim() -> Claim {
        Claim { reference: "R1".to_owned(), amount: naira(15_000), customer_id: "c1".to_owned() }
    }

    fn record() -> ProviderTransaction {
        ProviderTransaction {
            reference: "R1".to_owned(),
            amount: naira(15_000),
            inbound: true,
            completed: true,
            account_number: Some("9912345678".to_owned()),
            sender_name: Some("Bola".to_owned()),
        }
    }

    #[test]
    fn only_a_record_that_agrees_is_believed() {
        assert_eq!(claim().account_number(&record()), Ok("9912345678"));
        let refused = |record: ProviderTransaction| claim().account_number(&record).unwrap_err();
        assert_eq!(refused(ProviderTransaction { inbound: false, ..record() }), Failure::NotInbound);
        assert_eq!(refused(ProviderTransaction { amount: naira(0), ..record() }), Failure::NotInbound);
        assert_eq!(
            refused(ProviderTransaction { amount: naira(14_999), ..record() }),
            Failure::AmountMismatch
        );
        assert_eq!(refused(ProviderTransaction { completed: false, ..record() }), Failure::Incomplete);
        assert_eq!(refused(ProviderTransaction { account_number: None, ..record() }), Failure::Unexpected);
    }

    #[test]
    fn the_holder_must_be_the_customer_of_the_webhook() {
        let holder = |customer: &str| Holder {
            user_id: UserId::new(),
            wallet_id: WalletId::new(),
            customer_id: customer.to_owned(),
            tier: None,
        };
        let deposit = claim().into_deposit("providus", record(), &holder("c1")).unwrap();
        assert_eq!((deposit.amount, deposit.reference.as_str()), (naira(15_000), "R1"));
        let other = claim().into_deposit("providus", record(), &holder("c2"));
        assert_eq!(other, Err(Failure::CustomerMismatch));
    }

    #[test]
    fn what_is_above_a_limit_is_told_apart_from_what_is_shut() {
        let of = |obstacle: Obstacle| (obstacle.name(), obstacle.ending());
        assert_eq!(of(Obstacle::SingleDeposit), ("single_deposit_exceeded".into(), Ending::AboveLimit));
        let refused = |code| of(Obstacle::Refused(code));
        assert_eq!(refused(RefusalCode::CeilingExceeded), ("ceiling_exceeded".into(), Ending::AboveLimit));
        assert_eq!(refused(RefusalCode::WalletFrozen), ("wallet_frozen".into(), Ending::Suspended));
    }

    #[test]
    fn what_may_pass_is_borne_for_a_while() {
        let patience = Patience { doubtful: 3, unanswered: 9 };
        assert!(patience.bears(Failure::UnknownReference, 2));
        assert!(!patience.bears(Failure::UnknownReference, 3));
        let lasting = [Failure::Malformed, Failure::AmountMismatch, Failure::CustomerMismatch];
        for lasting in lasting.into_iter().chain([Failure::NoPosting, Failure::SuspenseRefused]) {
            assert!(!patience.bears(lasting, 1), "{lasting:?}");
        }
    }
}
