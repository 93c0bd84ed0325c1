//! Ends holds whose time is over, so that their money is available again though nobody asks for it. Nothing depends on it being
//! punctual: a posting that comes first ends them itself, by the clock.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::Ledger;

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
