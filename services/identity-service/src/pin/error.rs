//! Why a PIN does not approve, or stays as it is.

use axum::http::StatusCode;
use common_auth::password::PasswordError;
use common_db::constraint;
use common_utils::http::Problem;

use super::entity::WeakPin;
use crate::{
    notices::NoticeError,
    passwords::proof::ProofError,
    sessions::error::{SessionError, inactive},
    users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum PinError {
    #[error("the new PIN {0}")]
    Weak(#[from] WeakPin),
    #[error("they have none")]
    NotSet,
    #[error("it is wrong; {left} more may be")]
    Wrong { left: i16 },
    #[error("it is locked")]
    Locked,
    #[error("another was set meanwhile")]
    ChangedMeanwhile,
    #[error("the account is not active")]
    Inactive,
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

impl PinError {
    /// `field` is the one that has the PIN.
    pub(crate) fn into_problem(self, field: &'static str) -> Problem {
        match self {
            Self::Weak(weak) => Problem::invalid_field(field, "weak_pin", weak.to_string()),
            Self::Wrong { left } => {
                let message = match left {
                    0 => "is not your PIN, which is locked from now on".to_owned(),
                    left => format!("is not your PIN; after {left} more wrong ones it is locked"),
                };
                Problem::invalid_field(field, "wrong_pin", message)
            }
            Self::NotSet => Problem::not_found("transaction PIN"),
            Self::Locked => Problem::new(
                StatusCode::FORBIDDEN,
                "pin_locked",
                "Your PIN is locked after too many wrong ones. Set another one with your password.",
            ),
            Self::ChangedMeanwhile => {
                Problem::conflict("conflict", "Your PIN was changed at the same moment.")
            }
            Self::Inactive => inactive(),
            Self::Proof(error) => error.into(),
            Self::Password(error) => error.into(),
            Self::Notice(error) => error.into(),
            Self::Session(error) => error.into(),
            Self::User(error) => error.into(),
            Self::Database(error) => constraint::problem(error),
        }
    }
}
