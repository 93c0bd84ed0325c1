//! Puts letters back into their topics, as they were ordered to be.
//!
//! A crash between publishing and marking publishes again, and so does an answer that does not come in time: who had the event
//! drops it, and a message that fails again is a letter of its own. A lock in Redis keeps two instances from the same work.

use std::time::Duration;

use common_events::{
    KafkaConfig,
    dlq::{Replay, Replayed, Replayer},
    lock::Locks,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{entity::Status, metrics, repo};
use crate::app::AppState;

/// How long an order of another instance may lie.
const PAUSE: Duration = Duration::from_secs(5);
/// Shorter than a lock is held.
const PATIENCE: Duration = Duration::from_secs(20);
const LOCK: &str = "dead-letters-replay";

/// A letter that is to be put back.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) id: Uuid,
    pub(super) replay: Replay,
}

/// Runs until `shutdown`.
pub(crate) async fn replay_ordered(
    state: AppState,
    kafka: KafkaConfig,
    locks: Locks,
    shutdown: CancellationToken,
) {
    loop {
        let Some(done) = shutdown.run_until_cancelled(round(&state, &kafka, &locks)).await else { return };
        match done {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(error, "dead letters could not be put back; trying again later");
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = state.replays.notified() => {}
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// How many were put back. They are read under the lock, so that nobody puts back what another one has.
async fn round(state: &AppState, kafka: &KafkaConfig, locks: &Locks) -> anyhow::Result<usize> {
    let Some(lock) = locks.take(LOCK).await else { return Ok(0) };
    let done = put_back(state, kafka).await;
    locks.release(lock).await;
    done
}

async fn put_back(state: &AppState, kafka: &KafkaConfig) -> anyhow::Result<usize> {
    let ordered = repo::ordered(&state.pool).await?;
    if ordered.is_empty() {
        return Ok(0);
    }
    let (ids, replays): (Vec<Uuid>, Vec<Replay>) =
        ordered.into_iter().map(|ordered| (ordered.id, ordered.replay)).unzip();
    let replayer = Replayer::new(kafka)?;
    let results = replayer.publish(&replays, PATIENCE).await;
    let (mut taken, mut refused, mut unanswered) = (Vec::new(), Vec::new(), 0_usize);
    for (id, result) in ids.into_iter().zip(results) {
        match result {
            Replayed::Taken => taken.push(id),
            Replayed::Refused(error) => {
                tracing::error!(letter = %id, %error, "a dead letter cannot be put back; it is open again");
                refused.push(id);
            }
            Replayed::Unanswered => unanswered += 1,
        }
    }
    let marked = repo::mark_replayed(&state.pool, &taken, state.clock.now()).await?;
    repo::open_again(&state.pool, &refused).await?;
    metrics::ended(Status::Replayed, marked);
    if marked > 0 {
        tracing::info!(letters = marked, "dead letters were put back into their topics");
    }
    anyhow::ensure!(unanswered == 0, "Kafka has not answered for {unanswered} of them");
    Ok(taken.len() + refused.len())
}
