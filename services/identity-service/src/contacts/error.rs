//! Why a contact is not verified or changed.

use common_auth::verify::TokenError;
use common_db::constraint;
use common_utils::http::Problem;

use crate::{
    allowances::TooOften,
    codes::error::CodeError,
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::inactive,
    users::{ContactKind, error::UserError},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContactError {
    #[error("it is verified already")]
    Verified,
    #[error("it is the one that they have")]
    Unchanged(ContactKind),
    #[error("the code is wrong")]
    Wrong,
    #[error("no code is in force")]
    Dead,
    #[error("the account is not active")]
    Inactive,
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    TooOften(#[from] TooOften),
    #[error(transparent)]
    Code(#[from] CodeError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<ContactError> for Problem {
    fn from(error: ContactError) -> Self {
        match error {
            ContactError::Verified => Self::conflict("conflict", "This is verified already."),
            ContactError::Unchanged(ContactKind::Email) => {
                Self::invalid_field("email", "unchanged", "is the one that you have")
            }
            ContactError::Unchanged(ContactKind::Phone) => {
                Self::invalid_field("phoneNumber", "unchanged", "is the one that you have")
            }
            ContactError::Wrong => Self::unprocessable("invalid_code", "The code is wrong."),
            ContactError::Dead => Self::unprocessable(
                "code_expired",
                "The code has expired, was tried too often, or another one was sent since. Ask for a new one.",
            ),
            ContactError::Inactive => inactive(),
            ContactError::Proof(error) => error.into(),
            ContactError::Token(error) => error.into(),
            ContactError::TooOften(error) => error.into(),
            ContactError::Code(error) => error.into(),
            ContactError::Notice(error) => error.into(),
            ContactError::User(error) => error.into(),
            ContactError::Database(error) => constraint::problem(error),
        }
    }
}
