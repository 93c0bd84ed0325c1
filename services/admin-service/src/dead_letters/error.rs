//! Why a call about a dead letter is refused.

use common_events::outbox::OutboxError;
use common_utils::http::Problem;

use super::entity::Refusal;

#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadLetterError {
    #[error("there is no such dead letter")]
    NotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Event(#[from] OutboxError),
}

impl From<DeadLetterError> for Problem {
    fn from(error: DeadLetterError) -> Self {
        match error {
            DeadLetterError::NotFound => Self::not_found("dead letter"),
            DeadLetterError::Refused(Refusal::Replayed) => {
                Self::conflict("dead_letter_replayed", "The message was put back into its topic.")
            }
            DeadLetterError::Refused(Refusal::Discarded) => {
                Self::conflict("dead_letter_discarded", "The message was discarded; that is final.")
            }
            DeadLetterError::Refused(Refusal::LeftOut) => Self::conflict(
                "dead_letter_incomplete",
                "The message was too large for its letter; it lies where topic, partition and offset say.",
            ),
            DeadLetterError::Database(error) | DeadLetterError::Event(OutboxError::Database(error)) => {
                common_db::constraint::problem(error)
            }
            DeadLetterError::Event(error) => Self::internal(error),
        }
    }
}
