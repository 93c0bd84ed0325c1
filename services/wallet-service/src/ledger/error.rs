//! What keeps the ledger from answering. A refusal is no error: it is an answer.

use std::{sync::Arc, time::Duration};

use common_events::{HandlerError, outbox::OutboxError};
use common_utils::{gather::Ungathered, http::Problem};

/// Shared by all who waited for the same batch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerError {
    #[error("too many postings are waiting")]
    Overloaded,
    /// The batch broke off. A posting that is sent again is answered as what became of it.
    #[error("it is not known whether the postings were written")]
    Unanswered,
    /// Another transaction wrote a posting of the same id in the meantime, or one that a posting names. Nothing of this one
    /// counts; roll it back and try again, and it is known.
    #[error("another call was writing the same posting, or one that it names")]
    Raced,
    /// The accounts are not what the postings were decided on. Nothing was written; decided under lock, it cannot happen.
    #[error("another call has changed these accounts")]
    Stale,
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    #[error(transparent)]
    Event(Arc<OutboxError>),
    /// A row that only this code writes does not read as it was written.
    #[error("the ledger holds what it cannot have written: {0}")]
    Corrupt(String),
}

impl LedgerError {
    pub(crate) fn corrupt(what: &dyn std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    pub(crate) fn is_race(&self) -> bool {
        matches!(self, Self::Raced | Self::Stale)
    }

    /// Trying again later may help; nothing was written.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Overloaded | Self::Unanswered | Self::Raced | Self::Stale => true,
            Self::Database(error) => common_db::constraint::is_transient(error),
            Self::Event(_) | Self::Corrupt(_) => false,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        match common_db::constraint::violated(&error) {
            Some("postings_pkey") => Self::Raced,
            Some("balances_as_read") => Self::Stale,
            _ => Self::Database(Arc::new(error)),
        }
    }
}

impl From<OutboxError> for LedgerError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::from(error),
            other => Self::Event(Arc::new(other)),
        }
    }
}

impl From<Ungathered> for LedgerError {
    fn from(reason: Ungathered) -> Self {
        match reason {
            Ungathered::Full => Self::Overloaded,
            Ungathered::Broken => Self::Unanswered,
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Overloaded => Self::overloaded().retry_after(Duration::from_secs(1)),
            LedgerError::Unanswered | LedgerError::Raced | LedgerError::Stale => {
                Self::unavailable(error).retry_after(Duration::from_secs(1))
            }
            LedgerError::Database(error) => common_db::constraint::problem(error),
            LedgerError::Event(_) | LedgerError::Corrupt(_) => Self::internal(error),
        }
    }
}

impl From<LedgerError> for HandlerError {
    fn from(error: LedgerError) -> Self {
        if error.is_transient() { Self::Unavailable(error.into()) } else { Self::Failed(error.into()) }
    }
}
