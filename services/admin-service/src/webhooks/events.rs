//! What staff do with webhooks, and what the service does by itself, as events: by them it is in the audit log.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_events::{
    Actor, NewEvent,
    contracts::{EventData, WebhookEndpointResent, WebhookEndpointSnapshot, WebhookResendSnapshot},
    outbox::{self, OutboxError},
};
use common_utils::ids::UserId;
use uuid::Uuid;

use super::entity::Endpoint;
use crate::app::AppState;

/// A member of staff, or the service itself.
pub(super) fn actor(by: Option<UserId>) -> Actor {
    by.map_or_else(|| Actor::service(crate::SERVICE_NAME), Actor::staff)
}

pub(super) async fn publish_in_op<T: EventData>(
    op: &mut Op,
    state: &AppState,
    by: Option<UserId>,
    endpoint: &Endpoint,
    event: fn(WebhookEndpointSnapshot) -> T,
) -> Result<(), OutboxError> {
    let context = state.event_context(actor(by));
    let event = event(snapshot(endpoint, context.now));
    outbox::publish_in_op(op, &[NewEvent::new(&context, &event)?]).await
}

fn snapshot(endpoint: &Endpoint, now: DateTime<Utc>) -> WebhookEndpointSnapshot {
    WebhookEndpointSnapshot {
        endpoint_id: endpoint.id,
        status: endpoint.status.name().to_owned(),
        origin: endpoint.url.origin().ascii_serialization(),
        event_types: endpoint.event_types.iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        reason: endpoint.disabled.as_ref().map(|disabled| disabled.reason.clone()),
        changed_at: now,
    }
}

/// What was ordered to be sent again.
#[derive(Debug)]
pub(super) struct Resend {
    pub(super) endpoint: Uuid,
    pub(super) delivery: Option<Uuid>,
    pub(super) from: Option<DateTime<Utc>>,
    pub(super) to: Option<DateTime<Utc>>,
    pub(super) deliveries: u64,
}

pub(super) async fn publish_resend_in_op(
    op: &mut Op,
    state: &AppState,
    by: UserId,
    resend: &Resend,
) -> Result<(), OutboxError> {
    let context = state.event_context(Actor::staff(by));
    let event = WebhookEndpointResent(WebhookResendSnapshot {
        endpoint_id: resend.endpoint,
        delivery_id: resend.delivery,
        period_from: resend.from,
        period_to: resend.to,
        deliveries: i64::try_from(resend.deliveries).unwrap_or(i64::MAX),
        changed_at: context.now,
    });
    outbox::publish_in_op(op, &[NewEvent::new(&context, &event)?]).await
}
