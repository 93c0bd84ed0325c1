//! Brings every ceiling in line with the figures that this process was started with: they may be others than those by which the
//! ceilings were set, and limits may have been turned off or on. Again every now and then, because while one release replaces
//! another, an instance that knows nothing of ceilings may open wallets without one.
//!
//! Wallets of owners of whom no event has come yet are left as they are: the event brings their ceilings.

use std::{sync::Arc, time::Duration};

use common_db::PgPool;
use common_utils::ids::UserId;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    entity::{Governed, intake_ceiling},
    lock_in_op, move_ceilings_in_op, repo,
};
use crate::config::Config;

/// Each may have another owner, and every owner's lock takes a place in the server's memory.
const AT_ONCE: i64 = 200;
const PAUSE: Duration = Duration::from_secs(5);

/// All that it needs.
#[derive(Debug, Clone)]
pub struct Sweep {
    pub pool: PgPool,
    pub config: Arc<Config>,
    /// From the end of one to the beginning of the next.
    pub every: Duration,
}

impl Sweep {
    /// Goes through all wallets, again and again until `shutdown`; sooner where that failed.
    pub async fn run(self, shutdown: CancellationToken) {
        let swept = async {
            loop {
                let rest = match self.all().await {
                    Ok(()) => self.every,
                    Err(error) => {
                        tracing::warn!(%error, "the ceilings of wallets could not be compared with the limits; trying again");
                        PAUSE
                    }
                };
                tokio::time::sleep(rest).await;
            }
        };
        shutdown.run_until_cancelled(swept).await;
    }

    /// What is moved is committed some at a time; doing it again does no harm.
    pub async fn all(&self) -> sqlx::Result<()> {
        let (mut after, mut moved) = (Uuid::nil(), 0);
        loop {
            let page = repo::page(&self.pool, after, AT_ONCE).await?;
            let Some(last) = page.last() else { break };
            after = last.id.uuid();
            let owners: Vec<UserId> =
                page.iter().filter(|wallet| self.differs(wallet)).map(|wallet| wallet.user).collect();
            moved += owners.len();
            if !owners.is_empty() {
                self.put_right(&owners).await?;
            }
        }
        if moved > 0 {
            tracing::info!(wallets = moved, "ceilings of wallets were moved to the limits in force");
        }
        Ok(())
    }

    fn differs(&self, wallet: &Governed) -> bool {
        wallet.intake_ceiling != intake_ceiling(&self.config.limits, wallet.tier, wallet.currency)
    }

    /// Tiers are read again under the lock: one may have changed since.
    async fn put_right(&self, owners: &[UserId]) -> sqlx::Result<()> {
        let mut op = common_db::begin(&self.pool).await?;
        lock_in_op(&mut op, owners).await?;
        move_ceilings_in_op(&mut op, &self.config.limits, owners).await?;
        op.commit().await
    }
}
