//! What can go wrong with a person's record.

use common_db::constraint;
use common_events::outbox::OutboxError;
use common_utils::http::Problem;

use super::entity::NamesVerified;

#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    #[error("somebody has this e-mail address already")]
    EmailTaken,
    #[error("somebody has this phone number already")]
    PhoneTaken,
    #[error("there is no such user")]
    NotFound,
    #[error("the names are verified and cannot be changed")]
    NamesVerified,
    #[error("a stored user cannot be read: {0}")]
    Corrupt(String),
    #[error("an event could not be written: {0}")]
    Event(#[from] OutboxError),
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for UserError {
    fn from(error: sqlx::Error) -> Self {
        match constraint::violated(&error) {
            Some("users_email_key") => Self::EmailTaken,
            Some("users_phone_number_key") => Self::PhoneTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<NamesVerified> for UserError {
    fn from(NamesVerified: NamesVerified) -> Self {
        Self::NamesVerified
    }
}

impl From<UserError> for Problem {
    fn from(error: UserError) -> Self {
        match error {
            UserError::EmailTaken => {
                Self::conflict("email_taken", "Somebody has registered with this e-mail address.")
            }
            UserError::PhoneTaken => {
                Self::conflict("phone_taken", "Somebody has registered with this phone number.")
            }
            UserError::NotFound => Self::not_found("user"),
            UserError::NamesVerified => Self::conflict(
                "conflict",
                "Your names are verified against your bank verification number and cannot be changed here.",
            ),
            UserError::Database(error) | UserError::Event(OutboxError::Database(error)) => {
                constraint::problem(error)
            }
            UserError::Corrupt(_) | UserError::Event(_) => Self::internal(error),
        }
    }
}
