//! Why personal data cannot be written or read.

use common_db::constraint;
use common_utils::{crypto::sealing::SealError, http::Problem};

use super::key_provider::KeyError;
use crate::sessions::error::inactive;

/// What the trigger on tables of encrypted values says.
const LIVE_KEY: &str = "person_keys_live";

#[derive(Debug, thiserror::Error)]
pub(crate) enum PiiError {
    #[error("the person's key was erased, and with it what was kept of them")]
    Erased,
    #[error("stored personal data is damaged, or does not belong to its place")]
    Damaged,
    #[error("stored personal data cannot be read with the deployment's key: {0}")]
    Unmoved(#[from] SealError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Database(sqlx::Error),
}

impl PiiError {
    /// Whether the statement was refused because the person's key is gone.
    pub(crate) fn is_erased(error: &sqlx::Error) -> bool {
        constraint::violated(error) == Some(LIVE_KEY)
    }
}

impl From<sqlx::Error> for PiiError {
    fn from(error: sqlx::Error) -> Self {
        if Self::is_erased(&error) { Self::Erased } else { Self::Database(error) }
    }
}

impl From<PiiError> for Problem {
    fn from(error: PiiError) -> Self {
        match error {
            PiiError::Erased => inactive(),
            PiiError::Key(KeyError::Unavailable(source)) => Self::unavailable(source),
            PiiError::Database(error) => constraint::problem(error),
            PiiError::Damaged | PiiError::Unmoved(_) | PiiError::Key(_) => Self::internal(error),
        }
    }
}
