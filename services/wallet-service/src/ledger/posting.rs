//! What the ledger is asked to do.
//!
//! A [`Posting`] is well-formed by construction: at least one leg and at most [`MAX_LEGS`], every amount positive, no
//! leg from an account to itself, text that a database can keep. Whether it may happen is for the rules to say.

use chrono::{DateTime, Utc};
use common_events::Actor;
use common_utils::{
    correlation,
    http::FieldError,
    ids::{TransactionId, WalletId},
    money::{Currency, Money},
    telemetry::trace_context,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{account::PlatformAccount, content, misfit};

/// Also the most shares that a capture or a refund is divided into.
pub const MAX_LEGS: usize = 500;
pub const MAX_DESCRIPTION: usize = 200;

/// Why money moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PostingType {
    Transfer,
    Deposit,
    Withdrawal,
    Refund,
    Reversal,
    Fee,
    Adjustment,
    Hold,
    Release,
}

impl PostingType {
    pub const ALL: [Self; 9] = [
        Self::Transfer,
        Self::Deposit,
        Self::Withdrawal,
        Self::Refund,
        Self::Reversal,
        Self::Fee,
        Self::Adjustment,
        Self::Hold,
        Self::Release,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::Refund => "refund",
            Self::Reversal => "reversal",
            Self::Fee => "fee",
            Self::Adjustment => "adjustment",
            Self::Hold => "hold",
            Self::Release => "release",
        }
    }
}

/// One side of a leg.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AccountRef {
    Wallet(WalletId),
    Platform(PlatformAccount),
}

/// Money goes from the debited account to the credited one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    pub debit: AccountRef,
    pub credit: AccountRef,
    pub amount: Money,
}

/// One account's part of what a capture pays out, or a refund takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub account: AccountRef,
    pub amount: Money,
}

/// What a posting does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Money moves, leg by leg.
    Move(Vec<Leg>),
    /// Money of a wallet is set aside. The hold has the posting's id.
    Hold { account: AccountRef, amount: Money, expires_at: DateTime<Utc> },
    /// Money that was set aside goes out. It may be captured part by part, up to the amount of the hold.
    Capture { hold: TransactionId, to: Capture },
    /// What is left of a hold is the account's own again.
    Release { hold: TransactionId },
    /// A posting is undone as a whole, once.
    Reverse { posting: TransactionId },
    /// Some of what a posting took from its one payer goes back, at most all of it.
    Refund { posting: TransactionId, from: Vec<Share> },
}

/// How much of a hold is captured, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Capture {
    /// All that is left of it, in its currency.
    Whole { to: AccountRef, currency: Currency },
    /// As much as this; the rest stays on hold, or is released with it.
    Part { to: Vec<Share>, release_rest: bool },
}

/// What is told beside a posting, in the events of its entries. It is not part of the content: a bank that spells the
/// sender otherwise when it is asked again has still sent the same money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Who asked for it; wallet-service itself where nobody is named.
    pub actor: Option<Actor>,
    pub provider_reference: Option<String>,
    pub counterparty_name: Option<String>,
    /// The request that it came with; the running one where nothing is named.
    pub request: Option<Request>,
}

/// A request, as logs and traces know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub correlation_id: String,
    pub traceparent: Option<String>,
}

/// What happens as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    id: TransactionId,
    kind: PostingType,
    description: String,
    action: Action,
    group: Option<Uuid>,
    /// Which of the lists of a batch it came in: a group does not reach from one into another.
    list: usize,
    origin: Origin,
    content_hash: [u8; 32],
}

impl Posting {
    /// A posting that moves money by these legs.
    pub fn new(
        id: TransactionId,
        kind: PostingType,
        description: impl Into<String>,
        legs: Vec<Leg>,
    ) -> Result<Self, Vec<FieldError>> {
        Self::of(id, kind, description, Action::Move(legs))
    }

    /// The posting, or everything that is wrong with it; fields are named from the posting on (`legs[0].amount.amount`).
    pub fn of(
        id: TransactionId,
        kind: PostingType,
        description: impl Into<String>,
        action: Action,
    ) -> Result<Self, Vec<FieldError>> {
        let description = description.into();
        let errors = misfit::of(kind, &description, &action);
        if !errors.is_empty() {
            return Err(errors);
        }
        let content_hash = content::hash(kind, &description, &action, None);
        Ok(Self {
            id,
            kind,
            description,
            action,
            group: None,
            list: 0,
            origin: Origin::default(),
            content_hash,
        })
    }

    /// One of a group, which is posted as a whole or not at all. The members of a group stand together in a list, and
    /// no other list has any of them.
    #[must_use]
    pub fn in_group(mut self, group: Uuid) -> Self {
        self.group = Some(group);
        self.content_hash = content::hash(self.kind, &self.description, &self.action, self.group);
        self
    }

    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Notes the running request, unless the posting came with one.
    #[must_use]
    pub(super) fn of_this_request(mut self) -> Self {
        self.origin.request.get_or_insert_with(|| Request {
            correlation_id: correlation::current(),
            traceparent: trace_context::traceparent(),
        });
        self
    }

    #[must_use]
    pub(super) fn of_list(mut self, list: usize) -> Self {
        self.list = list;
        self
    }

    /// Whether both are decided as one.
    pub(super) fn is_grouped_with(&self, other: &Self) -> bool {
        self.group.is_some() && self.group == other.group && self.list == other.list
    }

    /// How much work it brings, in legs.
    pub(super) fn weight(&self) -> u32 {
        match &self.action {
            Action::Move(parts) => u32::try_from(parts.len()).unwrap_or(u32::MAX),
            Action::Capture { to: Capture::Part { to: parts, .. }, .. }
            | Action::Refund { from: parts, .. } => u32::try_from(parts.len()).unwrap_or(u32::MAX),
            Action::Hold { .. }
            | Action::Capture { .. }
            | Action::Release { .. }
            | Action::Reverse { .. } => 1,
        }
    }

    pub fn id(&self) -> TransactionId {
        self.id
    }

    pub fn kind(&self) -> PostingType {
        self.kind
    }

    pub fn description(&self) -> &str {
        &self.description
    }

    pub fn action(&self) -> &Action {
        &self.action
    }

    pub fn group(&self) -> Option<Uuid> {
        self.group
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The accounts that it names itself, each in a currency. A hold or an earlier posting leads to more.
    pub(super) fn sides(&self) -> Vec<(&AccountRef, Currency)> {
        match &self.action {
            Action::Move(legs) => {
                let debits = legs.iter().map(|leg| (&leg.debit, leg.amount.currency));
                debits.chain(legs.iter().map(|leg| (&leg.credit, leg.amount.currency))).collect()
            }
            Action::Hold { account, amount, .. } => vec![(account, amount.currency)],
            Action::Capture { to: Capture::Whole { to, currency }, .. } => vec![(to, *currency)],
            Action::Capture { to: Capture::Part { to: shares, .. }, .. }
            | Action::Refund { from: shares, .. } => {
                shares.iter().map(|share| (&share.account, share.amount.currency)).collect()
            }
            Action::Release { .. } | Action::Reverse { .. } => Vec::new(),
        }
    }

    pub(super) fn content_hash(&self) -> &[u8] {
        &self.content_hash
    }
}

#[cfg(test)]
mod tests {
    use common_utils::money::Currency;

    use super::*;

    fn leg(amount: i64) -> Leg {
        Leg {
            debit: AccountRef::Platform(PlatformAccount::Equity),
            credit: AccountRef::Wallet(uuid::Uuid::from_u128(1).into()),
            amount: Money::new(amount, Currency::NGN),
        }
    }

    fn hash(description: &str, legs: Vec<Leg>) -> [u8; 32] {
        let id = TransactionId::new();
        Posting::new(id, PostingType::Deposit, description, legs).unwrap().content_hash
    }

    #[test]
    fn everything_that_is_malformed_is_named() {
        let same = Leg { credit: AccountRef::Platform(PlatformAccount::Equity), ..leg(-1) };
        let errors =
            Posting::new(TransactionId::new(), PostingType::Deposit, "a\0", vec![leg(0), same]).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(
            fields,
            ["description", "legs[0].amount.amount", "legs[1].amount.amount", "legs[1].credit"]
        );
        for count in [0, MAX_LEGS + 1, 5_000] {
            let legs = vec![leg(1); count];
            let errors = Posting::new(TransactionId::new(), PostingType::Deposit, "", legs).unwrap_err();
            assert_eq!(errors.len(), 1, "{count}");
            assert_eq!(errors[0].field, "legs");
        }
    }

    #[test]
    fn the_hash_covers_what_moves_and_nothing_beside_it() {
        let same = hash("a", vec![leg(1)]);
        assert_eq!(hash("a", vec![leg(1)]), same);
        let other_side = Leg { debit: AccountRef::Platform(PlatformAccount::Suspense), ..leg(1) };
        let dollars = Leg { amount: Money::new(1, Currency::USD), ..leg(1) };
        for other in [vec![leg(2)], vec![leg(1), leg(1)], vec![other_side], vec![dollars]] {
            assert_ne!(hash("a", other), same);
        }
        assert_ne!(hash("b", vec![leg(1)]), same);
    }
}
