//! Why a password is not even looked at.

use std::time::Duration;

use axum::http::StatusCode;
use common_db::constraint;
use common_utils::http::Problem;

use crate::{notices::NoticeError, users::error::UserError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum GuardError {
    #[error("too many sign-ins have failed; the next may be tried in {} s", .wait.as_secs())]
    TooMany { wait: Duration },
    #[error("a count of failures was written and not found")]
    Lost,
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<GuardError> for Problem {
    fn from(error: GuardError) -> Self {
        match error {
            GuardError::TooMany { wait } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "Too many sign-ins have failed. Try again later.",
            )
            // Whole seconds, and not before the wait is over.
            .retry_after(Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0))),
            GuardError::Lost => Self::internal(error),
            GuardError::Notice(error) => error.into(),
            GuardError::User(error) => error.into(),
            GuardError::Database(error) => constraint::problem(error),
        }
    }
}
