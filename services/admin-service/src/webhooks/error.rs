//! Why a call about webhooks is refused, and what the client is told.

use common_db::idempotency::KeyError;
use common_events::outbox::OutboxError;
use common_utils::{crypto::sealing::SealError, http::Problem};

use super::address::AddressError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    #[error("there is no such webhook endpoint")]
    NoEndpoint,
    #[error("there is no such delivery")]
    NoDelivery,
    #[error("the address {0}")]
    Address(#[from] AddressError),
    #[error("there are as many endpoints as there can be")]
    Full,
    #[error("too many secrets of the endpoint are in force")]
    TooManySecrets,
    #[error("the endpoint is disabled")]
    Disabled,
    #[error("what waited for the endpoint is still being cancelled")]
    Cancelling,
    #[error("too many tests are under way")]
    Busy,
    #[error("what is stored cannot be read: {0}")]
    Stored(&'static str),
    #[error("a stored secret: {0}")]
    Secret(#[from] SealError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Event(#[from] OutboxError),
    #[error("an answer cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NoEndpoint => Self::not_found("webhook endpoint"),
            WebhookError::NoDelivery => Self::not_found("webhook delivery"),
            WebhookError::Address(error) => Self::invalid_field("url", error.code(), error.to_string()),
            WebhookError::Full => Self::conflict(
                "webhook_endpoints_full",
                "There are as many webhook endpoints as there can be; delete one first.",
            ),
            WebhookError::TooManySecrets => Self::conflict(
                "webhook_secrets_full",
                "The secret was changed several times within a day; wait until the old ones have ended.",
            ),
            WebhookError::Disabled => Self::conflict(
                "webhook_endpoint_disabled",
                "The webhook endpoint is disabled; enable it first.",
            ),
            WebhookError::Cancelling => Self::conflict(
                "webhook_endpoint_busy",
                "What waited for the webhook endpoint is still being cancelled. Ask again in a moment.",
            )
            .retry_after(std::time::Duration::from_secs(5)),
            WebhookError::Busy => Self::overloaded(),
            WebhookError::Key(error) => error.into(),
            WebhookError::Database(error) | WebhookError::Event(OutboxError::Database(error)) => {
                common_db::constraint::problem(error)
            }
            error @ (WebhookError::Stored(_)
            | WebhookError::Secret(_)
            | WebhookError::Event(_)
            | WebhookError::Encoding(_)) => Self::internal(error),
        }
    }
}
