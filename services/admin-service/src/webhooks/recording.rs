//! After an attempt: its entry in the log, what follows for the delivery, and what for the endpoint. The endpoint is locked
//! first, then the delivery.

use common_db::Op;
use common_events::contracts::WebhookEndpointDisabled;
use uuid::Uuid;

use super::{
    delivery::{Attempt, Delivery, DeliveryStatus, SPREAD},
    entity::{Cause, Endpoint},
    error::WebhookError,
    events, metrics,
    repo::{deliveries, endpoints, queue},
};
use crate::app::AppState;

/// What waits for an endpoint is cancelled in batches of so many; `upkeep.rs` does what one batch leaves.
pub(super) const CANCEL: i64 = 1_000;

/// What was sent to whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) endpoint: Uuid,
    /// Of the endpoint, when the delivery was taken.
    pub(super) generation: i32,
    pub(super) delivery: Uuid,
    pub(super) lease: Uuid,
}

/// None when the delivery is not there any more.
pub(super) async fn record(
    state: &AppState,
    sent: Sent,
    attempt: &Attempt,
) -> Result<Option<Delivery>, WebhookError> {
    metrics::attempted(attempt);
    let endpoint = sent.endpoint;
    let now = state.clock.now();
    let mut op = common_db::begin(&state.pool).await?;
    let locked = endpoints::lock_in_op(&mut op, endpoint).await?;
    let Some(mut delivery) = deliveries::lock_in_op(&mut op, endpoint, sent.delivery).await? else {
        return Ok(None);
    };
    let before = delivery.status;
    delivery.tried(attempt, sent.lease, now, rand::random_range(0..=SPREAD));
    deliveries::update_in_op(&mut op, &delivery).await?;
    deliveries::log_in_op(&mut op, &delivery, attempt).await?;
    let mut ended = Ended::default();
    // A test says something to who ordered it, and changes nothing for the others.
    if let Some(mut endpoint) = locked.filter(|_| !delivery.is_test()) {
        ended = judge_in_op(&mut op, state, &mut endpoint, (attempt, sent.generation)).await?;
    }
    op.commit().await?;
    if delivery.status != before {
        metrics::ended(delivery.status, 1);
    }
    metrics::ended(DeliveryStatus::Cancelled, ended.cancelled);
    if let Some(cause) = ended.cause {
        say_disabled(endpoint, cause);
    }
    Ok(Some(delivery))
}

/// What an attempt ended beside its delivery.
#[derive(Default)]
struct Ended {
    cause: Option<Cause>,
    cancelled: u64,
}

async fn judge_in_op(
    op: &mut Op,
    state: &AppState,
    endpoint: &mut Endpoint,
    (attempt, generation): (&Attempt, i32),
) -> Result<Ended, WebhookError> {
    let now = state.clock.now();
    let failing_since = endpoint.failing_since;
    let cause = endpoint.saw(attempt, generation, now);
    if cause.is_none() && endpoint.failing_since == failing_since {
        return Ok(Ended::default());
    }
    let cancelled = match cause {
        Some(_) => disabled_in_op(op, state, endpoint).await?,
        None => endpoints::update_in_op(op, endpoint).await.map(|()| 0)?,
    };
    Ok(Ended { cause, cancelled })
}

/// Writes down that the service has disabled it, and cancels a batch of what waits for it; tells how many.
pub(super) async fn disabled_in_op(
    op: &mut Op,
    state: &AppState,
    endpoint: &Endpoint,
) -> Result<u64, WebhookError> {
    let now = state.clock.now();
    endpoints::update_in_op(op, endpoint).await?;
    endpoints::subscribe_in_op(op, endpoint.id, endpoint.wanted(), now).await?;
    let cancelled = queue::cancel_in_op(op, endpoint.id, CANCEL, now).await?;
    events::publish_in_op(op, state, None, endpoint, WebhookEndpointDisabled).await?;
    Ok(cancelled)
}

pub(super) fn say_disabled(endpoint: Uuid, cause: Cause) {
    metrics::disabled(cause);
    tracing::warn!(%endpoint, cause = cause.name(), "a webhook endpoint is disabled");
}
