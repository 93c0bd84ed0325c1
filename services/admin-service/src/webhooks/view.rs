//! Webhooks as clients see them.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    delivery::{Delivery, DeliveryStatus},
    entity::{Endpoint, Status},
    repo::deliveries::Logged,
    signing::Secret,
};

/// Where events are sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookEndpoint)]
pub(super) struct EndpointView {
    id: Uuid,
    #[schema(example = "https://example.com/webhooks")]
    url: String,
    description: String,
    #[schema(example = json!(["wallet.*", "transaction.completed"]))]
    event_types: Vec<String>,
    status: Status,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    /// Why it is disabled.
    disabled_reason: Option<String>,
    disabled_at: Option<DateTime<Utc>>,
    /// Null where the service did it by itself.
    disabled_by: Option<Uuid>,
    /// No attempt has succeeded since; null when the last one did.
    failing_since: Option<DateTime<Utc>>,
}

impl From<Endpoint> for EndpointView {
    fn from(endpoint: Endpoint) -> Self {
        let (reason, at, by) = match endpoint.disabled {
            Some(disabled) => (Some(disabled.reason), Some(disabled.at), disabled.by.map(Into::into)),
            None => (None, None, None),
        };
        Self {
            id: endpoint.id,
            url: endpoint.url.into(),
            description: endpoint.description,
            event_types: endpoint.event_types.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
            status: endpoint.status,
            created_at: endpoint.created_at,
            created_by: endpoint.created_by.into(),
            disabled_reason: reason,
            disabled_at: at,
            disabled_by: by,
            failing_since: endpoint.failing_since,
        }
    }
}

/// A secret in the one answer that shows it.
#[derive(Serialize, ToSchema)]
#[serde(transparent)]
#[schema(as = WebhookSecret, value_type = String, example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
pub(super) struct ShownSecret(String);

impl fmt::Debug for ShownSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownSecret")
    }
}

impl From<&Secret> for ShownSecret {
    fn from(secret: &Secret) -> Self {
        Self(secret.text())
    }
}

/// An endpoint with its new secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookEndpointWithSecret)]
pub(super) struct EndpointWithSecret {
    #[serde(flatten)]
    pub(super) endpoint: EndpointView,
    /// What signatures are made with. It is shown in this answer alone, and again to who repeats the call with its
    /// `Idempotency-Key`; null when it was replaced before.
    pub(super) secret: Option<ShownSecret>,
}

/// An event on its way to an endpoint.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDelivery)]
pub(super) struct DeliveryView {
    id: Uuid,
    endpoint_id: Uuid,
    /// The `webhook-id`, and the id of the event.
    message_id: Uuid,
    #[schema(example = "wallet.credited")]
    event_type: String,
    status: DeliveryStatus,
    /// How often it was tried.
    attempts: i32,
    created_at: DateTime<Utc>,
    /// When it is tried next. While an attempt is under way, when it is given up at the latest.
    next_attempt_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            endpoint_id: delivery.endpoint_id,
            message_id: delivery.message_id,
            event_type: delivery.event_type,
            status: delivery.status,
            attempts: delivery.attempts,
            created_at: delivery.created_at,
            next_attempt_at: delivery.next_attempt_at,
            ended_at: delivery.ended_at,
        }
    }
}

/// What was tried, and what came back.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookAttempt)]
pub(super) struct AttemptView {
    number: i32,
    attempted_at: DateTime<Utc>,
    duration_ms: i32,
    /// Null where nothing was answered.
    #[schema(example = 204)]
    status_code: Option<i32>,
    /// Why it failed.
    error: Option<String>,
    /// The first 1,024 bytes of what was answered, as text.
    answer: Option<String>,
}

impl From<Logged> for AttemptView {
    fn from(logged: Logged) -> Self {
        Self {
            number: logged.number,
            attempted_at: logged.attempted_at,
            duration_ms: logged.duration_ms,
            status_code: logged.status_code,
            error: logged.error,
            answer: logged.answer,
        }
    }
}

/// A delivery with what was sent, and each attempt.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookDeliveryDetails)]
pub(super) struct DeliveryDetails {
    #[serde(flatten)]
    pub(super) delivery: DeliveryView,
    /// The body, as it is sent. It may hold personal data.
    pub(super) payload: String,
    /// Newest first, 100 at the most.
    pub(super) log: Vec<AttemptView>,
}
