//! What keeps the ledger from answering. A refusal is no error: it is an answer.

use std::time::Duration;

use common_events::{HandlerError, outbox::OutboxError};
use common_utils::http::Problem;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another transaction wrote a posting of the same id in the meantime. Nothing of this one counts; roll it back
    /// and try again, and the posting is known.
    #[error("another call was writing the same posting")]
    Raced,
    #[error(transparent)]
    Database(sqlx::Error),
    #[error(transparent)]
    Event(OutboxError),
    /// A row that only this code writes does not read as it was written.
    #[error("the ledger holds what it cannot have written: {0}")]
    Corrupt(String),
}

impl LedgerError {
    pub(crate) fn corrupt(what: &dyn std::fmt::Display) -> Self {
        Self::Corrupt(what.to_string())
    }

    /// Trying again later may help; nothing was written.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Database(error) | Self::Event(OutboxError::Database(error)) => {
                common_db::constraint::is_transient(error)
            }
            Self::Event(_) | Self::Corrupt(_) => false,
        }
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        match common_db::constraint::violated(&error) {
            Some("postings_pkey") => Self::Raced,
            _ => Self::Database(error),
        }
    }
}

impl From<OutboxError> for LedgerError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::from(error),
            other => Self::Event(other),
        }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Raced => Self::unavailable(error).retry_after(Duration::from_secs(1)),
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
