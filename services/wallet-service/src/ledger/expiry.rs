//! Ends holds whose time is over, so that their money is shown as available again though nobody asks for it. No decision depends
//! on it being punctual: who posts, closes or bounds ends them first, by the clock.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use common_db::Op;
use tokio_util::sync::CancellationToken;

use super::{
    Account, AccountId, Ledger, LedgerError, PlatformIds,
    book::Book,
    metrics,
    repo::{self, References},
};

const PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Expiry(pub Arc<Ledger>);

impl Expiry {
    /// Runs until `shutdown`.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(PAUSE);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = tick.tick() => {}
            }
            if let Err(error) = self.0.expire_overdue().await {
                tracing::warn!(%error, "holds could not be expired; trying again");
            }
        }
    }
}

/// Locks these accounts, in the order given, and ends their overdue holds; gives them as they are then, and how many ended.
pub(super) async fn lock_and_expire_in_op(
    op: &mut Op,
    accounts: &[AccountId],
    now: DateTime<Utc>,
) -> Result<(Vec<Account>, usize), LedgerError> {
    let accounts = repo::lock_in_op(op, accounts).await?;
    let holds = repo::holds_in_op(op, &References::default(), &accounts, now).await?;
    let mut book = Book::new(accounts, PlatformIds::new()).with_holds(holds);
    let expired = book.expire_overdue(now);
    if expired > 0 {
        repo::write_in_op(op, &book, &[]).await?;
        metrics::expired(expired);
    }
    Ok((book.accounts().cloned().collect(), expired))
}
