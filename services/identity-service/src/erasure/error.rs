//! Why somebody is not erased.

use common_db::constraint;
use common_utils::http::Problem;

use crate::{
    crypto::error::PiiError,
    kyc::cases::error::CaseError,
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::{entity::Suspended, error::UserError},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ErasureError {
    #[error("the account is suspended")]
    Suspended,
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Pii(#[from] PiiError),
    #[error(transparent)]
    Case(#[from] CaseError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error("what is kept cannot be written: {0}")]
    Profile(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<Suspended> for ErasureError {
    fn from(Suspended: Suspended) -> Self {
        Self::Suspended
    }
}

impl From<ErasureError> for Problem {
    fn from(error: ErasureError) -> Self {
        match error {
            ErasureError::Suspended => inactive(),
            ErasureError::Proof(error) => error.into(),
            ErasureError::Notice(error) => error.into(),
            ErasureError::Session(error) => error.into(),
            ErasureError::Pii(error) => error.into(),
            ErasureError::Case(error) => error.into(),
            ErasureError::User(error) => error.into(),
            ErasureError::Profile(_) => Self::internal(error),
            ErasureError::Database(error) => constraint::problem(error),
        }
    }
}
