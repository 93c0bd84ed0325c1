//! Why a password stays as it is.

use common_auth::password::PasswordError;
use common_db::constraint;
use common_utils::{crypto::sealing::SealError, http::Problem};

use super::proof::ProofError;
use crate::{
    auth::policy::WeakPassword,
    notices::NoticeError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordChangeError {
    #[error("the new password {0}")]
    Weak(#[from] WeakPassword),
    #[error("the token is unknown, used or too old")]
    InvalidToken,
    #[error("the password was changed meanwhile")]
    ChangedMeanwhile,
    #[error("the account is not active")]
    Inactive,
    #[error("too many forgotten passwords wait")]
    Overloaded,
    #[error("a forgotten password cannot be encrypted: {0}")]
    Sealing(#[from] SealError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<PasswordChangeError> for Problem {
    fn from(error: PasswordChangeError) -> Self {
        match error {
            PasswordChangeError::Weak(weak) => {
                Self::invalid_field("newPassword", weak.code(), weak.to_string())
            }
            PasswordChangeError::InvalidToken => Self::unprocessable(
                "invalid_reset_token",
                "The token is unknown, was used, or is older than an hour. Ask for a new one.",
            ),
            PasswordChangeError::ChangedMeanwhile => {
                Self::conflict("conflict", "Your password was changed at the same moment.")
            }
            PasswordChangeError::Inactive => inactive(),
            PasswordChangeError::Overloaded => Self::overloaded(),
            PasswordChangeError::Sealing(_) => Self::internal(error),
            PasswordChangeError::Proof(error) => error.into(),
            PasswordChangeError::Password(error) => error.into(),
            PasswordChangeError::Notice(error) => error.into(),
            PasswordChangeError::Session(error) => error.into(),
            PasswordChangeError::User(error) => error.into(),
            PasswordChangeError::Database(error) => constraint::problem(error),
        }
    }
}
