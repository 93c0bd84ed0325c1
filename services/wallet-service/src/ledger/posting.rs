//! What the ledger is asked to do, and what it answers.
//!
//! A [`Posting`] is well-formed by construction: at least one leg and at most [`MAX_LEGS`], every amount positive, no
//! leg from an account to itself, text that a database can keep. Whether it may happen is for the rules to say.

use chrono::{DateTime, Utc};
use common_events::Actor;
use common_utils::{
    http::FieldError,
    ids::{TransactionId, WalletId},
    money::Money,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::account::PlatformAccount;

pub const MAX_LEGS: usize = 100;
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
}

impl PostingType {
    pub const ALL: [Self; 7] = [
        Self::Transfer,
        Self::Deposit,
        Self::Withdrawal,
        Self::Refund,
        Self::Reversal,
        Self::Fee,
        Self::Adjustment,
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

/// What is told beside a posting, in the events of its entries. It is not part of the content: a bank that spells the
/// sender otherwise when it is asked again has still sent the same money.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Who asked for it; wallet-service itself where nobody is named.
    pub actor: Option<Actor>,
    pub provider_reference: Option<String>,
    pub counterparty_name: Option<String>,
}

/// Legs that happen together or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posting {
    id: TransactionId,
    kind: PostingType,
    description: String,
    legs: Vec<Leg>,
    origin: Origin,
    content_hash: [u8; 32],
}

impl Posting {
    /// The posting, or everything that is wrong with it; fields are named from the posting on (`legs[0].amount.amount`).
    pub fn new(
        id: TransactionId,
        kind: PostingType,
        description: impl Into<String>,
        legs: Vec<Leg>,
    ) -> Result<Self, Vec<FieldError>> {
        let description = description.into();
        let errors = misfits(&description, &legs);
        if !errors.is_empty() {
            return Err(errors);
        }
        let content_hash = content_hash(kind, &description, &legs);
        Ok(Self { id, kind, description, legs, origin: Origin::default(), content_hash })
    }

    #[must_use]
    pub fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
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

    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn content_hash(&self) -> &[u8] {
        &self.content_hash
    }
}

fn misfits(description: &str, legs: &[Leg]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if description.chars().count() > MAX_DESCRIPTION || description.chars().any(char::is_control) {
        let message =
            format!("must be at most {MAX_DESCRIPTION} characters, none of them a control character");
        errors.push(FieldError::new("description", "out_of_range", message));
    }
    if legs.is_empty() || legs.len() > MAX_LEGS {
        errors.push(FieldError::new("legs", "out_of_range", format!("must be 1 to {MAX_LEGS} legs")));
    }
    // A list that is too long is not looked through.
    for (index, leg) in legs.iter().take(MAX_LEGS).enumerate() {
        if leg.amount.amount <= 0 {
            let field = format!("legs[{index}].amount.amount");
            errors.push(FieldError::new(field, "out_of_range", "must be greater than zero"));
        }
        if leg.debit == leg.credit {
            let field = format!("legs[{index}].credit");
            errors.push(FieldError::new(field, "same_account", "must not be the debited account"));
        }
    }
    errors
}

/// Over everything that decides what moves and what the account's owner reads.
fn content_hash(kind: PostingType, description: &str, legs: &[Leg]) -> [u8; 32] {
    // Every part is written with its length before it, so no two contents are written alike.
    fn text(hasher: &mut Sha256, part: &str) {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part.as_bytes());
    }
    fn account(hasher: &mut Sha256, account: &AccountRef) {
        match account {
            AccountRef::Wallet(id) => text(hasher, &id.to_string()),
            AccountRef::Platform(account) => text(hasher, &account.to_string()),
        }
    }
    let mut hasher = Sha256::new();
    text(&mut hasher, kind.name());
    text(&mut hasher, description);
    for leg in legs {
        account(&mut hasher, &leg.debit);
        account(&mut hasher, &leg.credit);
        hasher.update(leg.amount.amount.to_be_bytes());
        text(&mut hasher, leg.amount.currency.code());
    }
    hasher.finalize().into()
}

/// Why a posting was refused, as other services read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    #[error("the account holds less than is to leave it")]
    InsufficientFunds,
    #[error("the wallet is frozen")]
    WalletFrozen,
    #[error("the wallet is closed")]
    WalletClosed,
    #[error("the account has another currency")]
    CurrencyMismatch,
    #[error("there is no such account")]
    AccountNotFound,
    #[error("the id was used for other content")]
    ContentMismatch,
    #[error("the balance would not fit into 64 bits")]
    Overflow,
}

/// A refusal, with the wallet that stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    pub code: RefusalCode,
    /// None when the account is the platform's own.
    pub wallet_id: Option<WalletId>,
    /// How much more the account would need, in minor units; given with `insufficient_funds`.
    pub missing: Option<i64>,
}

/// What became of a posting. The same posting gets the same outcome for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Posted,
    Refused(Refusal),
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Self::Posted => "posted",
            Self::Refused(_) => "refused",
        }
    }

    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Posted => None,
            Self::Refused(refusal) => Some(refusal),
        }
    }
}

/// The answer to one posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostingResult {
    pub id: TransactionId,
    pub outcome: Outcome,
    /// Decided by an earlier call with the same posting.
    pub replayed: bool,
    /// When it was decided.
    pub posted_at: DateTime<Utc>,
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
