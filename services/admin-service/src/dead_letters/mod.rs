//! Dead letters: messages that a consumer could not handle. They are collected from all `dlq.*` topics, looked at, and put
//! back into their topic or discarded; nobody edits them.
//!
//! Putting back is ordered by a call and done by a worker (`replaying.rs`), so no call waits for Kafka. The message goes back
//! as it came, under the same id: consumers that had it drop it. What is decided is an event, and by that in the audit log.

mod entity;
mod error;
mod intake;
mod metrics;
mod replaying;
mod repo;
pub(crate) mod routes;
mod view;

pub(crate) use self::{
    intake::Letters,
    metrics::{register, watch},
    replaying::replay_ordered,
};

use common_db::Op;
use common_events::{
    Actor, NewEvent,
    contracts::{DeadLetterDiscarded, DeadLetterReplayed, DeadLetterSnapshot, EventData},
    outbox,
};
use common_utils::ids::UserId;
use uuid::Uuid;

use self::{
    entity::{Change, DeadLetter},
    error::DeadLetterError,
    repo::Filter,
};
use crate::app::AppState;

/// Letters that one call puts back.
const MOST_AT_ONCE: i64 = 1_000;

/// Orders a letter to be put back.
async fn replay(state: &AppState, id: Uuid, by: UserId) -> Result<DeadLetter, DeadLetterError> {
    let now = state.clock.now();
    let letter = change(state, id, by, DeadLetterReplayed, |letter| Ok(letter.replay(by, now)?)).await?;
    state.replays.notify_one();
    Ok(letter)
}

/// Gives a letter up.
async fn discard(
    state: &AppState,
    id: Uuid,
    by: UserId,
    reason: String,
) -> Result<DeadLetter, DeadLetterError> {
    let now = state.clock.now();
    change(state, id, by, DeadLetterDiscarded, |letter| Ok(letter.discard(by, reason, now)?)).await
}

async fn change<T: EventData>(
    state: &AppState,
    id: Uuid,
    by: UserId,
    event: fn(DeadLetterSnapshot) -> T,
    decide: impl FnOnce(&mut DeadLetter) -> Result<Change, DeadLetterError>,
) -> Result<DeadLetter, DeadLetterError> {
    let mut op = common_db::begin(&state.pool).await?;
    let mut letter = repo::lock_in_op(&mut op, id).await?.ok_or(DeadLetterError::NotFound)?;
    if decide(&mut letter)? == Change::Executed {
        let letters = std::slice::from_ref(&letter);
        repo::decide_in_op(&mut op, letters).await?;
        publish_in_op(&mut op, state, by, letters, event).await?;
        op.commit().await?;
        metrics::decided(letters);
    }
    Ok(letter)
}

/// Orders open letters to be put back, the oldest first, and tells how many. There may be more.
async fn replay_many(state: &AppState, filter: &Filter, by: UserId) -> Result<usize, DeadLetterError> {
    let now = state.clock.now();
    let mut op = common_db::begin(&state.pool).await?;
    let mut letters = repo::lock_open_in_op(&mut op, filter, MOST_AT_ONCE).await?;
    for letter in &mut letters {
        letter.replay(by, now)?;
    }
    repo::decide_in_op(&mut op, &letters).await?;
    publish_in_op(&mut op, state, by, &letters, DeadLetterReplayed).await?;
    op.commit().await?;
    metrics::decided(&letters);
    state.replays.notify_one();
    Ok(letters.len())
}

async fn publish_in_op<T: EventData>(
    op: &mut Op,
    state: &AppState,
    by: UserId,
    letters: &[DeadLetter],
    event: fn(DeadLetterSnapshot) -> T,
) -> Result<(), DeadLetterError> {
    let context = state.event_context(Actor::staff(by));
    let events: Result<Vec<NewEvent>, _> =
        letters.iter().map(|letter| NewEvent::new(&context, &event(snapshot(letter)))).collect();
    Ok(outbox::publish_in_op(op, &events?).await?)
}

fn snapshot(letter: &DeadLetter) -> DeadLetterSnapshot {
    DeadLetterSnapshot {
        letter_id: letter.id,
        status: letter.status.name().to_owned(),
        topic: letter.topic.clone(),
        consumer_group: letter.group.clone(),
        event_id: letter.event_id,
        event_type: letter.event_type.clone(),
        reason: letter.reason.clone(),
        decided_at: letter.decided_at.unwrap_or(letter.received_at),
    }
}
