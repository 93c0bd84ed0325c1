//! Deposits on the suspense account. Those that were above a limit are released into their wallets as soon as they fit: when
//! the owner's tier rises, when the figures change, when money went out of the wallet. Those of a frozen or closed wallet wait
//! for a person's decision.
//!
//! Nothing has to tell of what made room: every round looks at what waits and at the limits in force, so whatever was missed
//! is found by the next one. Order of steps: candidates, without a lock → for each the deposit's row is locked, where a second
//! worker passes it by → a posting from suspense to the wallet → the row says released → commit. So it is released once, and
//! the ledger keeps the ceiling whatever comes in meanwhile.

pub(crate) mod metrics;
mod repo;

use std::{sync::Arc, time::Duration};

use common_db::PgPool;
use common_utils::{
    clock::SharedClock,
    correlation,
    ids::{self, TransactionId},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use repo::{Parked, list};

use super::{deposit, entity::Obstacle, handle::Stop};
use crate::{
    config::Config,
    ledger::{AccountRef, Ledger, Outcome, PlatformAccount},
    owners, work,
};
use repo::Candidate;

const POLL: Duration = Duration::from_secs(5);
const WATCH: Duration = Duration::from_secs(15);
const AT_ONCE: i64 = 100;

/// All that releasing needs.
#[derive(Debug, Clone)]
pub struct Releasing {
    pub pool: PgPool,
    pub clock: SharedClock,
    pub config: Arc<Config>,
    pub ledger: Arc<Ledger>,
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
            match repo::waiting(&self.pool, &limits(), self.clock.now()).await {
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
        let limits = limits();
        let mut after = Uuid::nil();
        loop {
            let candidates = repo::within_ceilings(&self.pool, &limits, after, AT_ONCE).await?;
            let Some(last) = candidates.last() else { return Ok(()) };
            after = last.id;
            for candidate in candidates.iter().filter(|candidate| self.fits(candidate)) {
                let span = tracing::info_span!("release", deposit = %candidate.id);
                let work = self.try_release(candidate.id).instrument(span);
                correlation::scope(ids::new_id().to_string(), work).await;
            }
        }
    }

    fn fits(&self, candidate: &Candidate) -> bool {
        !owners::is_above_single_deposit(&self.config.limits, candidate.tier, candidate.amount)
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

    /// False where another worker has it, or the wallet takes it no longer.
    async fn release(&self, id: Uuid) -> Result<bool, Stop> {
        let mut op = common_db::begin(&self.pool).await?;
        let Some(waiting) = repo::lock_in_op(&mut op, id).await? else { return Ok(false) };
        let (posting_id, to) = (TransactionId::new(), AccountRef::Wallet(waiting.wallet_id));
        let posting = deposit::posting(posting_id, &waiting, PlatformAccount::Suspense, to)?;
        let results = self.ledger.post_in_op(&mut op, &[posting]).await?;
        if results.iter().any(|result| result.outcome != Outcome::Posted) {
            return Ok(false);
        }
        repo::released_in_op(&mut op, id, posting_id, self.clock.now()).await?;
        op.commit().await?;
        Ok(true)
    }
}

/// Why a deposit waits that is released by itself.
fn limits() -> Vec<String> {
    Obstacle::LIMITS.map(Obstacle::name).into()
}
