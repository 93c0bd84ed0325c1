//! Closes tickets that were resolved a while ago, so that a resolution becomes final.

use std::time::Duration;

use chrono::TimeDelta;
use common_events::{
    Actor, NewEvent,
    contracts::TicketClosed,
    outbox::{self, OutboxError},
};
use tokio_util::sync::CancellationToken;

use super::{
    entity::{Status, Ticket},
    error::TicketError,
    events, metrics, repo,
};
use crate::app::AppState;

const PAUSE: Duration = Duration::from_mins(1);
const BATCH: u16 = 100;

/// Runs until `shutdown`. Several instances may: each takes tickets that no other one has.
pub(crate) async fn close_resolved(state: AppState, after: Duration, shutdown: CancellationToken) {
    loop {
        match close_batch(&state, after).await {
            Ok(closed) if closed == usize::from(BATCH) => continue,
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "resolved tickets could not be closed; trying again later"),
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// How many were closed.
async fn close_batch(state: &AppState, after: Duration) -> Result<usize, TicketError> {
    let now = state.clock.now();
    let Some(before) = TimeDelta::from_std(after).ok().and_then(|span| now.checked_sub_signed(span)) else {
        return Ok(0);
    };
    let mut op = common_db::begin(&state.pool).await?;
    let mut tickets = repo::lock_resolved_in_op(&mut op, before, i64::from(BATCH)).await?;
    if tickets.is_empty() {
        return Ok(0);
    }
    tickets.iter_mut().for_each(Ticket::close);
    repo::close_in_op(&mut op, &tickets).await?;
    let context = state.event_context(Actor::service(crate::SERVICE_NAME));
    let closed: Result<Vec<NewEvent>, OutboxError> = tickets
        .iter()
        .map(|ticket| NewEvent::new(&context, &TicketClosed(events::snapshot(ticket))))
        .collect();
    outbox::publish_in_op(&mut op, &closed?).await?;
    op.commit().await?;
    metrics::count(Status::Closed, u64::try_from(tickets.len()).unwrap_or(u64::MAX));
    Ok(tickets.len())
}
