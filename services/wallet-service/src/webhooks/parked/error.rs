//! Why a deposit stays where it is.

use crate::ledger::{LedgerError, RefusalCode};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ParkedError {
    #[error("no deposit of this id ever waited")]
    NotFound,
    #[error("it was released into its wallet")]
    Released,
    #[error("it was returned to its bank as {0}")]
    Returned(String),
    #[error("it is more than the tier of the wallet's owner takes in at once")]
    AboveSingleDeposit,
    #[error("the ledger refuses it: {0}")]
    Refused(RefusalCode),
    #[error("the ledger cannot write it as a posting")]
    NoPosting,
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ParkedError {
    /// It waits on, and nothing is wrong.
    pub(super) fn is_too_much_yet(&self) -> bool {
        matches!(self, Self::AboveSingleDeposit | Self::Refused(_))
    }
}
