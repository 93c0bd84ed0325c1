//! Sending again, by order of staff: one delivery, or all of a period that did not arrive.

use chrono::{DateTime, Utc};
use common_utils::ids::UserId;
use uuid::Uuid;

use super::{
    delivery::Delivery,
    entity::{Change, Endpoint, Status},
    error::WebhookError,
    events::{self, Resend},
    repo::{deliveries, endpoints},
};
use crate::app::AppState;

/// Deliveries that one call orders.
const MOST_AT_ONCE: i64 = 1_000;

async fn lock_enabled_in_op(op: &mut common_db::Op, id: Uuid) -> Result<Endpoint, WebhookError> {
    let endpoint = endpoints::lock_in_op(op, id).await?.ok_or(WebhookError::NoEndpoint)?;
    if endpoint.status == Status::Enabled { Ok(endpoint) } else { Err(WebhookError::Disabled) }
}

/// Orders one to be sent again, whatever became of it before.
pub(super) async fn resend(
    state: &AppState,
    (endpoint, id): (Uuid, Uuid),
    by: UserId,
) -> Result<Delivery, WebhookError> {
    let mut op = common_db::begin(&state.pool).await?;
    lock_enabled_in_op(&mut op, endpoint).await?;
    let mut delivery =
        deliveries::lock_in_op(&mut op, endpoint, id).await?.ok_or(WebhookError::NoDelivery)?;
    if delivery.resend(state.clock.now()) == Change::Executed {
        deliveries::update_in_op(&mut op, &delivery).await?;
        let resend = Resend { endpoint, delivery: Some(id), from: None, to: None, deliveries: 1 };
        events::publish_resend_in_op(&mut op, state, by, &resend).await?;
        op.commit().await?;
        state.webhooks.wake.notify_one();
    }
    Ok(delivery)
}

/// Orders those of a period that failed or were cancelled, the oldest first, and tells how many. There may be more.
pub(super) async fn resend_period(
    state: &AppState,
    endpoint: Uuid,
    (from, to): (DateTime<Utc>, Option<DateTime<Utc>>),
    by: UserId,
) -> Result<u64, WebhookError> {
    let now = state.clock.now();
    let mut op = common_db::begin(&state.pool).await?;
    lock_enabled_in_op(&mut op, endpoint).await?;
    let deliveries = deliveries::resend_in_op(&mut op, endpoint, (from, to), MOST_AT_ONCE, now).await?;
    let resend = Resend { endpoint, delivery: None, from: Some(from), to, deliveries };
    events::publish_resend_in_op(&mut op, state, by, &resend).await?;
    op.commit().await?;
    state.webhooks.wake.notify_one();
    Ok(deliveries)
}
