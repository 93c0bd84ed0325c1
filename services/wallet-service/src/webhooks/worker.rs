//! The worker that handles what was received. Several instances may run: each webhook is one worker's for the length
//! of a lease, and money is credited once even where two handle the same.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use common_db::PgPool;
use common_utils::{clock::SharedClock, correlation};
use tokio::{sync::Notify, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    entity::{Ending, Failure, Patience, Received},
    handle::{self, Stop},
    metrics, repo,
};
use crate::{
    config::Config,
    ledger::Ledger,
    providers::Providers,
    work::{self, Backoff},
};

const POLL: Duration = Duration::from_secs(1);
const WATCH: Duration = Duration::from_secs(5);
/// At once; a provider is not to be flooded.
const MOST: i64 = 8;
/// Longer than an attempt can take: one call to the provider, and short statements.
const LEASE: TimeDelta = TimeDelta::seconds(90);

/// All that handling needs.
#[derive(Debug, Clone)]
pub struct Handling {
    pub pool: PgPool,
    pub clock: SharedClock,
    pub config: Arc<Config>,
    pub ledger: Arc<Ledger>,
    pub providers: Providers,
    pub wake: Arc<Notify>,
    pub backoff: Backoff,
    pub patience: Patience,
}

impl Handling {
    /// Handles what was received until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        metrics::register(self.providers.names());
        tokio::select! {
            () = work::run(shutdown, &self.wake, POLL, || self.round()) => {}
            () = self.watch_oldest() => {}
        }
    }

    /// Also while nothing can be handled: that is when it matters. Never ends.
    async fn watch_oldest(&self) {
        let mut tick = tokio::time::interval(WATCH);
        loop {
            tick.tick().await;
            match repo::oldest_waiting(&self.pool, self.clock.now()).await {
                Ok(seconds) => metrics::oldest(seconds),
                Err(error) => tracing::warn!(%error, "cannot see how long webhooks have waited"),
            }
        }
    }

    /// Tries what is due, once each. True when there was something.
    async fn round(&self) -> bool {
        let now = self.clock.now();
        let names: Vec<String> = self.providers.names().map(str::to_owned).collect();
        let due = match repo::take_due(&self.pool, &names, MOST, now, now + LEASE).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "cannot look for webhooks");
                return false;
            }
        };
        let found = !due.is_empty();
        let mut tasks = JoinSet::new();
        for webhook in due {
            let worker = self.clone();
            let id = webhook.correlation_id.clone();
            let span = tracing::info_span!("webhook", correlation_id = id);
            let work = correlation::scope(id, async move { worker.attempt(&webhook).await });
            tasks.spawn(work.instrument(span));
        }
        // A task that panicked leaves its webhook to the end of the lease.
        while tasks.join_next().await.is_some() {}
        found
    }

    async fn attempt(&self, webhook: &Received) {
        let result = match handle::handle(self, webhook).await {
            Ok(ending) => self.end(webhook, ending).await,
            Err(Stop::Failure(failure)) if self.patience.bears(failure, webhook.attempts) => {
                self.postpone(webhook, &failure.to_string()).await
            }
            Err(Stop::Failure(failure)) => self.end(webhook, Ending::Failed(failure)).await,
            Err(Stop::Error(error)) if webhook.attempts < self.patience.unanswered => {
                self.postpone(webhook, &error.to_string()).await
            }
            Err(Stop::Error(error)) => {
                tracing::error!(webhook = %webhook.id, %error, "a webhook is given up");
                self.end(webhook, Ending::Failed(Failure::GaveUp)).await
            }
        };
        if let Err(error) = result {
            tracing::warn!(webhook = %webhook.id, %error, "cannot note an attempt; it is due again when its lease ends");
        }
    }

    /// Writes the ending down, where crediting has not done so, and tells of it once.
    async fn end(&self, webhook: &Received, ending: Ending) -> sqlx::Result<()> {
        let in_books = [Ending::Credited, Ending::Suspended, Ending::AboveLimit, Ending::AlreadyCredited];
        if !in_books.contains(&ending) {
            let mut op = common_db::begin(&self.pool).await?;
            let first = repo::end_in_op(&mut op, webhook.id, ending, self.clock.now()).await?;
            op.commit().await?;
            if !first {
                return Ok(());
            }
        }
        self.count(webhook, ending.name());
        let (id, provider, outcome) = (webhook.id, &webhook.provider, ending.name());
        match ending {
            Ending::Failed(failure) if failure.is_suspicious() => tracing::error!(
                webhook = %id, provider, outcome, security_event = "webhook_contradicts_provider",
                "a signed webhook is not backed by the provider: {failure}"
            ),
            Ending::Failed(failure) => {
                tracing::error!(webhook = %id, provider, outcome, "a webhook failed; somebody should look: {failure}");
            }
            Ending::Suspended => {
                tracing::error!(webhook = %id, provider, "a deposit waits on the suspense account");
            }
            Ending::AboveLimit => {
                tracing::warn!(webhook = %id, provider, "a deposit is above a limit and waits on the suspense account");
            }
            _ => tracing::info!(webhook = %id, provider, outcome, "webhook handled"),
        }
        Ok(())
    }

    async fn postpone(&self, webhook: &Received, why: &str) -> sqlx::Result<()> {
        tracing::warn!(webhook = %webhook.id, attempt = webhook.attempts, why, "a webhook is tried again later");
        self.count(webhook, metrics::POSTPONED);
        let until = self.clock.now() + self.backoff.after(webhook.attempts);
        repo::postpone(&self.pool, webhook.id, until, why).await
    }

    fn count(&self, webhook: &Received, outcome: &'static str) {
        let known = self.providers.get(&webhook.provider);
        metrics::counted(known.map_or(metrics::NOBODY, |provider| provider.name()), outcome);
    }
}
