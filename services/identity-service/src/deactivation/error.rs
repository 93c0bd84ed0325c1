//! Why an account stays open.

use common_db::constraint;
use common_utils::http::Problem;

use crate::{
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::{entity::Suspended, error::UserError},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DeactivationError {
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error("the account is suspended")]
    Suspended,
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<Suspended> for DeactivationError {
    fn from(Suspended: Suspended) -> Self {
        Self::Suspended
    }
}

impl From<DeactivationError> for Problem {
    fn from(error: DeactivationError) -> Self {
        match error {
            DeactivationError::Suspended => inactive(),
            DeactivationError::Proof(error) => error.into(),
            DeactivationError::Notice(error) => error.into(),
            DeactivationError::Session(error) => error.into(),
            DeactivationError::User(error) => error.into(),
            DeactivationError::Database(error) => constraint::problem(error),
        }
    }
}
