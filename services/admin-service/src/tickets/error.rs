//! Why a call about a ticket is refused, and what the client is told.

use common_db::idempotency::KeyError;
use common_events::outbox::OutboxError;
use common_utils::http::Problem;

use super::entity::Refusal;
use crate::services::Unavailable;

#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("there is no such ticket, or it is not theirs")]
    NotFound,
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the ticket has as many comments as it can have")]
    Full,
    #[error("the requester is not registered")]
    UnknownRequester,
    #[error("what the ticket is about does not exist, or is not theirs")]
    UnknownRelated,
    #[error("the assignee does not work on tickets")]
    NotStaff,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Event(#[from] OutboxError),
    #[error("a ticket cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
}

impl From<TicketError> for Problem {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::NotFound => Self::not_found("ticket"),
            TicketError::Refused(Refusal::Resolved) => {
                Self::conflict("ticket_resolved", "The ticket is resolved; open a new one.")
            }
            TicketError::Refused(Refusal::Closed) => {
                Self::conflict("ticket_closed", "The ticket is closed; open a new one.")
            }
            TicketError::Full => {
                Self::conflict("ticket_full", "The ticket takes no more comments; open a new one.")
            }
            TicketError::UnknownRequester => Self::invalid_field(
                "requesterId",
                "not_found",
                "must be the id of somebody who is registered",
            ),
            TicketError::UnknownRelated => {
                Self::invalid_field("relatedTo.id", "not_found", "must be the id of something that exists")
            }
            TicketError::NotStaff => Self::invalid_field(
                "assigneeId",
                "not_staff",
                "must be the id of somebody who works on tickets",
            ),
            TicketError::Key(error) => error.into(),
            TicketError::Unavailable(error) => error.into(),
            TicketError::Database(error) | TicketError::Event(OutboxError::Database(error)) => {
                common_db::constraint::problem(error)
            }
            TicketError::Event(error) => Self::internal(error),
            TicketError::Encoding(error) => Self::internal(error),
        }
    }
}
