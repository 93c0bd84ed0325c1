//! What nobody waits for: disables endpoints for which too much waits, cancels what was to be sent to those that are disabled, and
//! deletes what is old. In bounded batches; several instances may.

use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    delivery::DeliveryStatus,
    entity::{Cause, Change, MOST_WAITING},
    error::WebhookError,
    metrics,
    recording::{self, CANCEL},
    repo::{endpoints, queue, secrets},
};
use crate::app::AppState;

const PAUSE: Duration = Duration::from_mins(1);
/// Messages that are deleted at once, with their deliveries and their log.
const DELETE: i64 = 200;

/// Runs until `shutdown`. A retention of zero keeps everything.
pub(crate) async fn keep_tidy(state: AppState, retention: Duration, shutdown: CancellationToken) {
    loop {
        let Some(done) = shutdown.run_until_cancelled(round(&state, retention)).await else { return };
        if let Err(error) = done {
            tracing::warn!(%error, "old webhooks could not be tidied up; trying again later");
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

async fn round(state: &AppState, retention: Duration) -> Result<(), WebhookError> {
    let now = state.clock.now();
    for endpoint in queue::overdue_endpoints(&state.pool, MOST_WAITING).await? {
        give_up(state, endpoint).await?;
    }
    for endpoint in queue::idle_endpoints(&state.pool, now).await? {
        loop {
            let mut op = common_db::begin(&state.pool).await?;
            let cancelled = queue::cancel_in_op(&mut op, endpoint, CANCEL, now).await?;
            op.commit().await?;
            metrics::ended(DeliveryStatus::Cancelled, cancelled);
            if cancelled == 0 {
                break;
            }
        }
    }
    secrets::delete_expired(&state.pool, now).await?;
    let retention = TimeDelta::from_std(retention).ok().filter(|retention| !retention.is_zero());
    let Some(before) = retention.and_then(|retention| now.checked_sub_signed(retention)) else {
        return Ok(());
    };
    while queue::delete_old(&state.pool, before, DELETE).await? > 0 {}
    queue::delete_left_over(&state.pool, before).await?;
    Ok(())
}

async fn give_up(state: &AppState, id: Uuid) -> Result<(), WebhookError> {
    let mut op = common_db::begin(&state.pool).await?;
    let Some(mut endpoint) = endpoints::lock_in_op(&mut op, id).await? else { return Ok(()) };
    if endpoint.give_up(Cause::Overdue, state.clock.now()) == Change::AlreadyApplied {
        return Ok(());
    }
    let cancelled = recording::disabled_in_op(&mut op, state, &endpoint).await?;
    op.commit().await?;
    metrics::ended(DeliveryStatus::Cancelled, cancelled);
    recording::say_disabled(id, Cause::Overdue);
    Ok(())
}
