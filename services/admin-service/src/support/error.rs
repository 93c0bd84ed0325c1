//! Why there is nothing to see.

use common_utils::http::Problem;

#[derive(Debug, thiserror::Error)]
pub(crate) enum SupportError {
    #[error("no event has told of this person")]
    UnknownUser,
    #[error("no event has told of this transaction")]
    UnknownTransaction,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<SupportError> for Problem {
    fn from(error: SupportError) -> Self {
        match error {
            SupportError::UnknownUser => Self::not_found("user"),
            SupportError::UnknownTransaction => Self::not_found("transaction"),
            SupportError::Database(error) => common_db::constraint::problem(error),
        }
    }
}
