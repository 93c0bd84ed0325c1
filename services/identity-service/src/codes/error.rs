//! Why no code was sent, or one could not be looked at.

use axum::http::StatusCode;
use common_db::constraint;
use common_utils::{crypto::sealing::SealError, http::Problem};

use crate::{allowances::TooOften, notices::NoticeError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error("a stored code cannot be read: {0}")]
    Sealing(#[from] SealError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::TooOften(too_often) => too_often.into(),
            CodeError::Notice(error) => error.into(),
            CodeError::Database(error) => constraint::problem(error),
            CodeError::Sealing(_) => Self::internal(error),
        }
    }
}

impl From<TooOften> for Problem {
    fn from(too_often: TooOften) -> Self {
        let detail = "You have asked for this too often. Try again later.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail).retry_after(too_often.wait())
    }
}

impl From<NoticeError> for Problem {
    fn from(error: NoticeError) -> Self {
        match error {
            NoticeError::Database(error) => constraint::problem(error),
            NoticeError::Encoding(_) | NoticeError::Sealing(_) => Self::internal(error),
        }
    }
}
