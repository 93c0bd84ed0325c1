//! What the ledger answers to a posting.

use chrono::{DateTime, Utc};
use common_utils::ids::{TransactionId, WalletId};
use serde::{Deserialize, Serialize};

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
    #[error("the account may not hold that much")]
    CeilingExceeded,
    #[error("an account cannot pay itself")]
    SameAccount,
    #[error("there is no such hold")]
    HoldNotFound,
    #[error("the hold has expired")]
    HoldExpired,
    #[error("the hold was captured or released")]
    HoldClosed,
    #[error("the hold has less left than is to be captured")]
    HoldExceeded,
    #[error("no such posting has moved money")]
    PostingNotFound,
    #[error("such a posting cannot be taken back")]
    NotReturnable,
    #[error("the posting was reversed or refunded")]
    AlreadyReturned,
    #[error("more would go back than was taken")]
    RefundExceeded,
    #[error("another posting of its group was refused")]
    GroupRefused,
}

/// A refusal, with the wallet that stood in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    pub code: RefusalCode,
    /// None when the account is the platform's own.
    pub wallet_id: Option<WalletId>,
    /// Given where an amount was in the way, in minor units. With `insufficient_funds`, how much more the account would need;
    /// with `ceiling_exceeded`, `hold_exceeded`, `refund_exceeded` and `already_returned`, how much too much was asked.
    pub missing: Option<i64>,
}

impl Refusal {
    pub(super) fn plain(code: RefusalCode) -> Self {
        Self { code, wallet_id: None, missing: None }
    }
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
