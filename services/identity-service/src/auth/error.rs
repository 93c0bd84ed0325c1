//! Why somebody is not signed in.

use common_auth::password::PasswordError;
use common_db::idempotency;
use common_utils::http::Problem;

use super::policy::WeakPassword;
use crate::{
    codes::error::CodeError,
    guard::error::GuardError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthError {
    /// No such account or wrong password: nobody learns which.
    #[error("the identifier or the password is wrong")]
    InvalidCredentials,
    #[error("the account is not active")]
    Inactive,
    #[error("the password {0}")]
    Weak(#[from] WeakPassword),
    #[error("the idempotency key was used for another registration")]
    KeyReused,
    #[error("a registration cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    User(#[from] UserError),
}

impl From<sqlx::Error> for AuthError {
    fn from(error: sqlx::Error) -> Self {
        Self::User(error.into())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::InvalidCredentials => Self::new(
                axum::http::StatusCode::UNAUTHORIZED,
                "invalid_credentials",
                "The identifier or the password is wrong.",
            ),
            AuthError::Inactive => inactive(),
            AuthError::Weak(weak) => Self::invalid_field("password", weak.code(), weak.to_string()),
            AuthError::KeyReused => idempotency::reused(),
            AuthError::Encoding(_) => Self::internal(error),
            AuthError::Password(error) => error.into(),
            AuthError::Code(error) => error.into(),
            AuthError::Guard(error) => error.into(),
            AuthError::Session(error) => error.into(),
            AuthError::User(error) => error.into(),
        }
    }
}
