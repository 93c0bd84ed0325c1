//! A test call: sends a message of type `webhook.test` now, and tells what came back. It is in the log as any delivery, is tried
//! once, and changes nothing else; a disabled endpoint can be tested before it is enabled.

use common_events::contracts::WebhookEndpointTested;
use common_utils::{
    correlation,
    ids::{self, UserId},
};
use uuid::Uuid;

use super::{
    delivery::Delivery,
    endpoints,
    error::WebhookError,
    events,
    intake::test_payload,
    recording::{self, Sent},
    repo::deliveries,
    sender::Outgoing,
    sending::secrets_in_force,
};
use crate::app::AppState;

pub(super) async fn test(state: &AppState, id: Uuid, by: UserId) -> Result<Delivery, WebhookError> {
    let _permit = state.webhooks.tests.try_acquire().map_err(|_| WebhookError::Busy)?;
    let endpoint = endpoints::get(state, id).await?;
    let secrets = secrets_in_force(state, &state.pool, &[id]).await?.remove(&id).unwrap_or_default();
    let (now, lease, message_id) = (state.clock.now(), ids::new_id(), ids::new_id());
    let delivery = Delivery::test(id, message_id, lease, now);
    let payload = test_payload(id, now, &correlation::current())?;

    let mut op = common_db::begin(&state.pool).await?;
    deliveries::insert_test_in_op(&mut op, &delivery, &payload).await?;
    events::publish_in_op(&mut op, state, Some(by), &endpoint, WebhookEndpointTested).await?;
    op.commit().await?;

    let sent = Sent { endpoint: id, generation: endpoint.generation, delivery: delivery.id, lease };
    let outgoing = Outgoing { url: endpoint.url, message_id, payload, secrets };
    let attempt = state.webhooks.sender.attempt(outgoing).await;
    let recorded = recording::record(state, sent, &attempt).await?;
    recorded.ok_or(WebhookError::NoDelivery)
}
