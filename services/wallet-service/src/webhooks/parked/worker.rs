//! The worker that releases what was above a limit, and watches what waits. Several instances may run.
//!
//! Nothing has to tell of what made room: every round looks at what waits and at the limits in force, so whatever was missed
//! is found by the next one. Candidates are found without a lock and may wait long for their turn, so everything that made
//! one of them is asked again once its row is locked.

use std::{sync::Arc, time::Duration};

use common_utils::{correlation, ids};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

use super::{Parking, error::ParkedError, limits, metrics, repo};
use crate::{owners, work};

const POLL: Duration = Duration::from_secs(5);
const WATCH: Duration = Duration::from_secs(15);
const AT_ONCE: i64 = 100;

/// All that releasing needs.
#[derive(Debug, Clone)]
pub struct Releasing {
    pub parking: Parking,
    pub wake: Arc<Notify>,
}

impl Releasing {
    /// Releases what fits until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        metrics::register();
        tokio::select! {
            () = work::run(shutdown, &self.wake, POLL, || self.round()) => {}
            () = self.watch() => {}
        }
    }

    /// Never ends.
    async fn watch(&self) {
        let mut tick = tokio::time::interval(WATCH);
        loop {
            tick.tick().await;
            match repo::waiting(&self.parking.pool, &limits(), self.parking.clock.now()).await {
                Ok(waiting) => metrics::waiting(&waiting),
                Err(error) => tracing::warn!(%error, "cannot see which deposits wait"),
            }
        }
    }

    /// Tries all that fit, once each, oldest first. What is refused nevertheless has time until the next round.
    async fn round(&self) -> bool {
        if let Err(error) = self.release_fitting().await {
            tracing::warn!(%error, "cannot look for deposits that wait");
        }
        false
    }

    async fn release_fitting(&self) -> sqlx::Result<()> {
        let reasons = limits();
        let figures = owners::single_deposits(&self.parking.limits);
        let mut after = Uuid::nil();
        loop {
            let page = repo::Page { after, most: AT_ONCE };
            let candidates = repo::fitting(&self.parking.pool, &reasons, &figures, page).await?;
            let Some(last) = candidates.last() else { return Ok(()) };
            after = *last;
            for id in candidates {
                let work = self.try_release(id).instrument(tracing::info_span!("release", deposit = %id));
                correlation::scope(ids::new_id().to_string(), work).await;
            }
        }
    }

    async fn try_release(&self, id: Uuid) {
        match self.release(id).await {
            Ok(true) => {
                metrics::released();
                tracing::info!("a deposit that waited is in its wallet");
            }
            Ok(false) => {}
            Err(error) => tracing::warn!(?error, "a deposit that waits could not be released; trying again"),
        }
    }

    /// False where another worker has it, a person decided about it, or it fits no longer.
    async fn release(&self, id: Uuid) -> Result<bool, ParkedError> {
        let mut op = common_db::begin(&self.parking.pool).await?;
        let Some(parked) = repo::lock_free_in_op(&mut op, id, &limits()).await? else { return Ok(false) };
        match self.parking.release_in_op(&mut op, id, &parked).await {
            Ok(()) => {
                op.commit().await?;
                Ok(true)
            }
            Err(error) if error.is_too_much_yet() => Ok(false),
            Err(error) => Err(error),
        }
    }
}
