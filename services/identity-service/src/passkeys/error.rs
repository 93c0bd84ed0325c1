//! Why a passkey is not made, or proves nothing.

use axum::http::StatusCode;
use common_db::constraint;
use common_utils::http::Problem;
use webauthn_rs::prelude::WebauthnError;

use super::entity::MOST;
use crate::{
    factors::error::FactorError,
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PasskeyError {
    /// Who signs in with what is no passkey of anybody's, or not now: nobody learns which.
    #[error("the passkey proves nobody")]
    NotSignedIn,
    /// The same, of somebody who is known.
    #[error("the passkey proves nothing")]
    Rejected,
    /// Used, too old, begun for something else or by somebody else.
    #[error("there is no such ceremony")]
    CeremonyExpired,
    #[error("the person has as many passkeys as anybody may")]
    TooMany,
    #[error("this passkey is registered already")]
    Registered,
    #[error("the person has no passkey that proves anything")]
    None,
    #[error("there is no such passkey")]
    NotFound,
    #[error("the account is not active")]
    Inactive,
    #[error("a ceremony cannot be made: {0}")]
    Ceremony(#[source] WebauthnError),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Factor(#[from] FactorError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for PasskeyError {
    fn from(error: sqlx::Error) -> Self {
        match constraint::violated(&error) {
            Some("passkeys_credential_key") => Self::Registered,
            _ => Self::Database(error),
        }
    }
}

impl From<PasskeyError> for Problem {
    fn from(error: PasskeyError) -> Self {
        match error {
            PasskeyError::NotSignedIn => {
                Self::new(StatusCode::UNAUTHORIZED, "passkey_rejected", "This passkey does not sign in here.")
            }
            PasskeyError::Rejected => Self::unprocessable(
                "passkey_rejected",
                "This passkey is not taken. Try again, or another one.",
            ),
            PasskeyError::CeremonyExpired => Self::unprocessable(
                "ceremony_expired",
                "This was used already or took longer than five minutes. Start again.",
            ),
            PasskeyError::TooMany => Self::conflict(
                "too_many_passkeys",
                format!("You have {MOST} passkeys already: remove one that you do not use."),
            ),
            PasskeyError::Registered => {
                Self::conflict("passkey_registered", "This passkey is registered already.")
            }
            PasskeyError::None => Self::conflict("no_passkey", "You have no passkey that can be used."),
            PasskeyError::NotFound => Self::not_found("passkey"),
            PasskeyError::Inactive => inactive(),
            PasskeyError::Ceremony(_) => Self::internal(error),
            PasskeyError::Proof(error) => error.into(),
            PasskeyError::Factor(error) => error.into(),
            PasskeyError::Notice(error) => error.into(),
            PasskeyError::Session(error) => error.into(),
            PasskeyError::User(error) => error.into(),
            PasskeyError::Database(error) => constraint::problem(error),
        }
    }
}
