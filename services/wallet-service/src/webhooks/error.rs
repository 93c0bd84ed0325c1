//! What keeps a webhook from being handled this time. It is tried again.

use crate::{
    ledger::{LedgerError, RefusalCode},
    providers::ProviderError,
};

#[derive(Debug, thiserror::Error)]
pub(super) enum HandleError {
    #[error("the provider is not configured")]
    NoProvider,
    #[error("provider: {0}")]
    Provider(ProviderError),
    #[error("ledger: {0}")]
    Ledger(#[from] LedgerError),
    /// The platform's own accounts always take a deposit; this one did not.
    #[error("the suspense account refused a deposit: {0}")]
    SuspenseRefused(RefusalCode),
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("a deposit that is no posting: {0}")]
    NoPosting(String),
}
