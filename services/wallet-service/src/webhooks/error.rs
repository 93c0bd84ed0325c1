//! What keeps a webhook from being handled this time. It is tried again.

use crate::{ledger::LedgerError, providers::ProviderError};

#[derive(Debug, thiserror::Error)]
pub(super) enum HandleError {
    #[error("the provider is not configured")]
    NoProvider,
    #[error("provider: {0}")]
    Provider(ProviderError),
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}
