//! Why a device is not bound, or proves nothing.

use axum::http::StatusCode;
use common_db::constraint;
use common_utils::http::Problem;

use super::{entity::MOST, key::InvalidKey};
use crate::{
    factors::error::FactorError,
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    /// No such device, not any more, or not its signature: nobody learns which.
    #[error("the device proves nobody")]
    NotSignedIn,
    /// The same, of somebody who is known.
    #[error("the signature proves nothing")]
    Rejected,
    /// Used, too old, for something else or for somebody else.
    #[error("there is no such challenge")]
    ChallengeExpired,
    #[error("the person has as many devices as anybody may")]
    TooMany,
    #[error("this key is bound already")]
    Bound,
    #[error("there is no such device")]
    NotFound,
    #[error("the account is not active")]
    Inactive,
    #[error("a stored device cannot be read: {0}")]
    Corrupt(String),
    #[error("a challenge cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
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

impl From<InvalidKey> for DeviceError {
    fn from(error: InvalidKey) -> Self {
        Self::Corrupt(error.to_string())
    }
}

impl From<sqlx::Error> for DeviceError {
    fn from(error: sqlx::Error) -> Self {
        match constraint::violated(&error) {
            Some("devices_public_key_key") => Self::Bound,
            _ => Self::Database(error),
        }
    }
}

impl From<DeviceError> for Problem {
    fn from(error: DeviceError) -> Self {
        match error {
            DeviceError::NotSignedIn => {
                Self::new(StatusCode::UNAUTHORIZED, "device_rejected", "This device does not sign in here.")
            }
            DeviceError::Rejected => {
                Self::unprocessable("device_rejected", "The signature is not that of the device's key.")
            }
            DeviceError::ChallengeExpired => Self::unprocessable(
                "challenge_expired",
                "This was used already or is older than five minutes. Ask for another challenge.",
            ),
            DeviceError::TooMany => Self::conflict(
                "too_many_devices",
                format!("You have {MOST} devices already: remove one that you do not use."),
            ),
            DeviceError::Bound => {
                Self::conflict("device_registered", "This key is bound to an account already.")
            }
            DeviceError::NotFound => Self::not_found("device"),
            DeviceError::Inactive => inactive(),
            DeviceError::Corrupt(_) | DeviceError::Encoding(_) => Self::internal(error),
            DeviceError::Proof(error) => error.into(),
            DeviceError::Factor(error) => error.into(),
            DeviceError::Notice(error) => error.into(),
            DeviceError::Session(error) => error.into(),
            DeviceError::User(error) => error.into(),
            DeviceError::Database(error) => constraint::problem(error),
        }
    }
}
