//! Why an account number could not be issued this time. Every reason is tried again.

use common_events::outbox::OutboxError;

use super::identity::IdentityError;
use crate::providers::ProviderError;

#[derive(Debug, thiserror::Error)]
pub(super) enum IssueError {
    #[error("identity: {0}")]
    Identity(#[from] IdentityError),
    #[error("provider: {0}")]
    Provider(#[from] ProviderError),
    /// "Already a customer", and then not to be found under this phone number.
    #[error("the provider knows this person under other particulars")]
    NotFound,
    /// The provider gave us a customer or number that is another wallet's here.
    #[error("the provider's account is that of somebody else")]
    OfAnother,
    #[error("the provider {0} is not configured")]
    NoProvider(String),
    #[error("database: {0}")]
    Database(sqlx::Error),
    #[error("event: {0}")]
    Event(OutboxError),
}

impl IssueError {
    /// As a label of metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Identity(IdentityError::NotVerified) => "not_verified",
            Self::Identity(IdentityError::Unavailable(_)) => "identity_unavailable",
            Self::Provider(ProviderError::Unavailable(_)) => "provider_unavailable",
            Self::Provider(_) | Self::NotFound => "provider_refused",
            Self::OfAnother => "conflict",
            Self::NoProvider(_) | Self::Database(_) | Self::Event(_) => "internal",
        }
    }

    /// It passes by itself; no person has to look.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Identity(IdentityError::Unavailable(_)) | Self::Provider(ProviderError::Unavailable(_)) => {
                true
            }
            Self::Database(error) => common_db::constraint::is_transient(error),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for IssueError {
    fn from(error: sqlx::Error) -> Self {
        match common_db::constraint::violated(&error) {
            Some("provider_customers_customer_key" | "virtual_accounts_number_key") => Self::OfAnother,
            _ => Self::Database(error),
        }
    }
}

impl From<OutboxError> for IssueError {
    fn from(error: OutboxError) -> Self {
        match error {
            OutboxError::Database(error) => Self::from(error),
            other => Self::Event(other),
        }
    }
}
