//! What keeps a transfer from being made. Refusals before the key is claimed leave it unused; what the ledger refused
//! is remembered with the key and is no error but an outcome.

use std::time::Duration;

use common_db::{constraint, idempotency};
use common_events::outbox::OutboxError;
use common_utils::{http::Problem, money::Currency};

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
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Internal(anyhow::Error),
}

impl From<OutboxError> for TransferError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::Database(error),
            other => Self::Internal(other.into()),
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
            TransferError::KeyReused => idempotency::reused(),
            TransferError::InProgress => idempotency::in_progress(),
            TransferError::Unanswered => Self::unavailable(error).retry_after(ASK_AGAIN),
            TransferError::Directory(error) => error.into(),
            TransferError::Database(error) => constraint::problem(error),
            TransferError::Internal(error) => Self::internal(error),
        }
    }
}
