//! Why a session does not go on.

use common_db::constraint;
use common_utils::http::Problem;

use super::token::Unsealable;
use crate::{notices::NoticeError, users::error::UserError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// Unknown, ended, or used before: a client cannot tell which.
    #[error("the refresh token is not valid")]
    Invalid,
    #[error("the session has expired")]
    Expired,
    #[error("there is no such session")]
    NotFound,
    #[error("the account is not active")]
    Inactive,
    #[error(transparent)]
    Token(#[from] Unsealable),
    #[error("an access token could not be signed: {0:#}")]
    Signing(anyhow::Error),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Invalid => Self::unauthenticated("The refresh token is not valid: sign in again."),
            SessionError::Expired => Self::new(
                axum::http::StatusCode::UNAUTHORIZED,
                "token_expired",
                "The session has expired: sign in again.",
            ),
            SessionError::NotFound => Self::not_found("session"),
            SessionError::Inactive => inactive(),
            SessionError::Notice(error) => error.into(),
            SessionError::User(error) => error.into(),
            SessionError::Database(error) => constraint::problem(error),
            SessionError::Token(_) | SessionError::Signing(_) => Self::internal(error),
        }
    }
}

/// Said only to somebody who has proved who they are.
pub(crate) fn inactive() -> Problem {
    Problem::forbidden("This account is not active. Ask support.")
}
