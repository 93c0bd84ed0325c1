//! Recovery: ends transfers that their request left `initiated`, because the process died or the ledger did not answer.
//!
//! A round takes over what has no lease any more, posts it as one list and settles it. Several instances may do this
//! at the same time: a row is taken by one of them, the ledger knows what it has posted, and a transfer is settled only
//! while it is initiated.

use std::{sync::Arc, time::Duration};

use common_utils::crash_point;
use tokio_util::sync::CancellationToken;

use super::{
    Transfers,
    entity::Settled,
    error::StepError,
    repo,
    steps::{Progress, by_recovery},
};
use crate::{
    metrics::{self, Recovered},
    transactions::Status,
};

const PAUSE: Duration = Duration::from_secs(1);
/// Of one round.
const BATCH: i64 = 100;

impl Transfers {
    /// Runs until `shutdown`: at once, and then every second.
    pub(crate) async fn recover_forever(self: Arc<Self>, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.recover().await {
                tracing::warn!(%error, "transfers could not be recovered; trying again");
            }
        }
    }

    /// Rounds until nothing is left to take, or the ledger does not answer.
    async fn recover(&self) -> Result<(), StepError> {
        loop {
            let now = self.clock.now();
            let lease = self.steps.lease;
            let taken = repo::take_expired(&self.pool, now, now + lease, now - lease, BATCH).await?;
            if !taken.is_empty() {
                crash_point!("recovery.after_take");
            }
            let round = self.steps.post_and_settle(&taken, by_recovery).await?;
            let mut ended = true;
            for (transfer, progress) in taken.iter().zip(round) {
                let progress = match progress {
                    Ok(progress) => progress,
                    Err(error) if error.is_transient() => return Err(error),
                    Err(error) => {
                        tracing::error!(id = %transfer.id, %error, "a decided transfer could not be settled");
                        Progress::Unanswered
                    }
                };
                ended &= !matches!(progress, Progress::Unanswered);
                note(&progress);
            }
            let more = i64::try_from(taken.len()).unwrap_or(BATCH) >= BATCH;
            if !more || !ended {
                break;
            }
        }
        metrics::initiated(repo::count_initiated(&self.pool).await?);
        Ok(())
    }
}

fn note(progress: &Progress) {
    let outcome = match progress {
        Progress::Settled(Settled::Executed(transfer)) if transfer.status == Status::Completed => {
            Recovered::Completed
        }
        Progress::Settled(Settled::Executed(_)) => Recovered::Failed,
        Progress::Unanswered => Recovered::Unanswered,
        // The request itself was only slow.
        Progress::Settled(Settled::AlreadyApplied(_)) | Progress::KeyUsed(_) => return,
    };
    if let Progress::Settled(settled) = progress {
        let transfer = settled.transaction();
        tracing::info!(id = %transfer.id, status = transfer.status.name(), "a transfer was recovered");
    }
    metrics::recovered(outcome, 1);
}
