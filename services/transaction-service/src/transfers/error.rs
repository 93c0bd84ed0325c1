//! What keeps a transfer from being made. Refusals before the key is claimed leave it unused; what the ledger refused
//! is remembered with the key and is no error but an outcome.

use std::{sync::Arc, time::Duration};

use common_db::{constraint, idempotency};
use common_events::outbox::OutboxError;
use common_utils::{gather::Ungathered, http::Problem, money::Currency};

use crate::directory::DirectoryError;

/// When a client may ask again after the ledger did not answer; recovery does not wait longer either.
pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(2);

#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    #[error("the sender has no such wallet")]
    WalletNotFound,
    #[error("the recipient's wallet is the sender's")]
    SameWallet,
    #[error("a wallet holds {0}, not the currency of the amount")]
    CurrencyMismatch(Currency),
    #[error("nobody is known by what was given")]
    RecipientNotFound,
    /// Holds the answer, which names how it may be approved.
    #[error("a transfer of this size takes a fresh approval")]
    NotApproved(Box<Problem>),
    #[error("the key was used for another request")]
    KeyReused,
    #[error("the first request with this key still runs")]
    InProgress,
    /// The ledger's answer is not known. The transfer stays initiated, and recovery ends it.
    #[error("the ledger did not answer")]
    Unanswered,
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Internal(anyhow::Error),
}

/// What keeps a step from being done, for all transfers that shared it.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StepError {
    #[error("too many transfers are waiting")]
    Overloaded,
    /// Whether the step was done is not known; recovery finds out.
    #[error("a step broke off")]
    Broken,
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    #[error("{0:#}")]
    Internal(Arc<anyhow::Error>),
}

impl StepError {
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Overloaded | Self::Broken => true,
            Self::Database(error) => constraint::is_transient(error),
            Self::Internal(_) => false,
        }
    }
}

impl From<Ungathered> for StepError {
    fn from(reason: Ungathered) -> Self {
        match reason {
            Ungathered::Full => Self::Overloaded,
            Ungathered::Broken => Self::Broken,
        }
    }
}

impl From<sqlx::Error> for StepError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<OutboxError> for StepError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => error.into(),
            other => Self::Internal(Arc::new(other.into())),
        }
    }
}

impl From<StepError> for Problem {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Overloaded => Self::overloaded(),
            StepError::Broken => Self::unavailable(error).retry_after(ASK_AGAIN),
            StepError::Database(error) => constraint::problem(error),
            StepError::Internal(error) => Self::internal(anyhow::anyhow!("{error:#}")),
        }
    }
}

impl From<TransferError> for Problem {
    fn from(error: TransferError) -> Self {
        match error {
            TransferError::WalletNotFound => Self::not_found("wallet"),
            TransferError::SameWallet => Self::unprocessable(
                "same_wallet",
                "The recipient's wallet is the one that the money comes from.",
            ),
            TransferError::CurrencyMismatch(currency) => Self::unprocessable(
                "currency_mismatch",
                format!("Both wallets must hold the currency of the amount; one holds {currency}."),
            ),
            TransferError::RecipientNotFound => Self::unprocessable(
                "recipient_not_found",
                "Nobody is known by that who could receive this currency.",
            ),
            TransferError::NotApproved(refusal) => *refusal,
            TransferError::KeyReused => idempotency::reused(),
            TransferError::InProgress => idempotency::in_progress(),
            TransferError::Unanswered => Self::unavailable(error).retry_after(ASK_AGAIN),
            TransferError::Directory(error) => error.into(),
            TransferError::Step(error) => error.into(),
            TransferError::Database(error) => constraint::problem(error),
            TransferError::Internal(error) => Self::internal(error),
        }
    }
}
