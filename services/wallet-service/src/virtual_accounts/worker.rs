//! The worker that gets account numbers. Several instances may run: each row is one worker's for the length of a
//! lease, and writing the same number twice changes nothing.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use common_db::PgPool;
use common_utils::{clock::SharedClock, correlation};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{entity::Wanted, error::IssueError, identity::Identity, issue, metrics, repo};
use crate::{
    providers::Providers,
    work::{self, Backoff},
};

const POLL: Duration = Duration::from_secs(2);
/// At once; a provider is not to be flooded.
const MOST: i64 = 4;
/// Longer than an attempt can take: identity, making and finding each have deadlines, of 111 s together.
const LEASE: TimeDelta = TimeDelta::minutes(3);

/// All that issuing needs.
#[derive(Debug, Clone)]
pub struct Issuing {
    pub pool: PgPool,
    pub clock: SharedClock,
    pub providers: Providers,
    pub identity: Identity,
    pub wake: Arc<Notify>,
    pub backoff: Backoff,
}

impl Issuing {
    /// Issues what is wanted until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        metrics::register();
        work::run(shutdown, &self.wake, POLL, || self.round()).await;
    }

    /// Tries what is due, once each. True when there was something.
    async fn round(&self) -> bool {
        let now = self.clock.now();
        let names: Vec<String> = self.providers.names().map(str::to_owned).collect();
        let wanted = match repo::take_due(&self.pool, &names, MOST, now, now + LEASE).await {
            Ok(wanted) => wanted,
            Err(error) => {
                tracing::warn!(%error, "cannot look for wanted account numbers");
                return false;
            }
        };
        let found = !wanted.is_empty();
        let mut tasks = JoinSet::new();
        for one in wanted {
            let worker = self.clone();
            let id = one.correlation_id.clone();
            let span = tracing::info_span!("account_number", correlation_id = id);
            let work = correlation::scope(id, async move { worker.attempt(&one).await });
            tasks.spawn(work.instrument(span));
        }
        // A task that panicked leaves its row to the end of the lease.
        while tasks.join_next().await.is_some() {}
        found
    }

    async fn attempt(&self, wanted: &Wanted) {
        let result = self.issue(wanted).await;
        let (wallet, attempt) = (wanted.wallet_id, wanted.attempts);
        let error = match result {
            Ok(true) => {
                metrics::attempted("issued");
                tracing::info!(%wallet, provider = wanted.provider, attempt, "account number issued");
                return;
            }
            Ok(false) => return,
            Err(error) => error,
        };
        metrics::attempted(error.outcome());
        if error.is_transient() {
            tracing::warn!(%wallet, attempt, %error, "no account number yet");
        } else {
            tracing::error!(%wallet, attempt, %error, "no account number; somebody should look");
        }
        let until = self.clock.now() + self.backoff.after(attempt);
        if let Err(error) = repo::postpone(&self.pool, wallet, until, &error.to_string()).await {
            tracing::warn!(%wallet, %error, "cannot note a failed attempt; it is due again when its lease ends");
        }
    }

    async fn issue(&self, wanted: &Wanted) -> Result<bool, IssueError> {
        let account = issue::at_provider(&self.identity, &self.providers, wanted).await?;
        issue::write(&self.pool, &self.clock, wanted, &account).await
    }
}
