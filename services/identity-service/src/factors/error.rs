//! Why somebody has not proved who they are, or has no other factor than before.

use common_auth::{Method, verify::TokenError};
use common_db::constraint;
use common_utils::{crypto::sealing::SealError, http::Problem};

use crate::{
    allowances::TooOften,
    guard::error::GuardError,
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum FactorError {
    #[error("second factors are off")]
    Off,
    #[error("they have it already")]
    Enrolled,
    #[error("they have none")]
    NotEnrolled,
    #[error("no enrolment waits to be confirmed")]
    NothingToConfirm,
    /// Of who proves once more who they are.
    #[error("the password is wrong")]
    WrongPassword,
    #[error("the code is wrong")]
    Wrong,
    #[error("the sign-in is unknown, ended, or too old")]
    ChallengeExpired,
    /// These are.
    #[error("this method is not accepted from them")]
    NotAccepted(Vec<Method>),
    #[error("the account is not active")]
    Inactive,
    #[error("what an authenticator app reads cannot be written: {0}")]
    Rendering(anyhow::Error),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error("a stored secret cannot be read: {0}")]
    Sealing(#[from] SealError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Guard(#[from] GuardError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<FactorError> for Problem {
    fn from(error: FactorError) -> Self {
        match error {
            FactorError::Off => Self::forbidden("This deployment has no second factors."),
            FactorError::Enrolled => Self::conflict("conflict", "You have one. Remove it first."),
            FactorError::NotEnrolled => Self::not_found("second factor"),
            FactorError::NothingToConfirm => Self::unprocessable(
                "enrolment_expired",
                "There is nothing to confirm, or it has waited for more than a quarter of an hour. Begin anew.",
            ),
            FactorError::WrongPassword => {
                Self::invalid_field("password", "wrong_password", "is not your password")
            }
            FactorError::Wrong => {
                Self::unprocessable("invalid_code", "The code is wrong, or was used before.")
            }
            FactorError::ChallengeExpired => Self::unprocessable(
                "challenge_expired",
                "The sign-in has ended, was tried too often, or is older than five minutes. Log in again.",
            ),
            FactorError::NotAccepted(accepted) => {
                let names: Vec<&str> = accepted.into_iter().map(Method::name).collect();
                Self::invalid_field("method", "not_accepted", format!("must be {}", names.join(" or ")))
            }
            FactorError::Inactive => inactive(),
            FactorError::Rendering(error) => Self::internal(error),
            FactorError::Sealing(_) => Self::internal(error),
            FactorError::Token(error) => error.into(),
            FactorError::TooOften(error) => error.into(),
            FactorError::Proof(error) => error.into(),
            FactorError::Notice(error) => error.into(),
            FactorError::Guard(error) => error.into(),
            FactorError::Session(error) => error.into(),
            FactorError::User(error) => error.into(),
            FactorError::Database(error) => constraint::problem(error),
        }
    }
}
