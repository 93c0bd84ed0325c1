//! Sends what is due, each channel by itself, so that a carrier that hangs does not hold up the other one. Several instances may
//! run: a message is one worker's for the length of a lease, and who dies holding one leaves it to be sent again.

use std::time::Duration;

use chrono::TimeDelta;
use common_utils::{correlation, crypto::sealing::SealError, work};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    NoticeError, Notices,
    entity::{Channel, End, SPREAD, next_attempt},
    metrics,
    repo::{self, Taken},
    transport::NotSent,
};

/// Retries become due without anybody telling.
const POLL: Duration = Duration::from_secs(1);
const HOUR: TimeDelta = TimeDelta::hours(1);
/// At once.
const MOST: i64 = 8;
/// That a message was sent is known for so long; what it said is not.
const KEPT: TimeDelta = TimeDelta::days(7);
const PURGE_BATCH: i64 = 1000;

impl Notices {
    /// Sends what goes by this channel until `shutdown`.
    pub(crate) async fn send(self, channel: Channel, shutdown: CancellationToken) {
        work::run(shutdown, self.woken(channel), POLL, || self.round(channel)).await;
    }

    /// Tries what is due, once each. True when there was something.
    async fn round(&self, channel: Channel) -> bool {
        let taken = match self.take(channel).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, channel = channel.name(), "cannot look for messages to send");
                return false;
            }
        };
        let found = !taken.is_empty();
        let mut tasks = JoinSet::new();
        for one in taken {
            let worker = self.clone();
            let id = one.correlation_id.clone();
            let span = tracing::info_span!("notice", correlation_id = id);
            let work = correlation::scope(id, async move { worker.attempt(channel, &one).await });
            tasks.spawn(work.instrument(span));
        }
        // A task that panicked leaves its message to the end of the lease.
        while tasks.join_next().await.is_some() {}
        found
    }

    /// What is due, as far as it may be sent in this hour. The rest waits until it may, or expires.
    async fn take(&self, channel: Channel) -> sqlx::Result<Vec<Taken>> {
        let now = self.clock.now();
        let mut most = MOST;
        if channel == Channel::Sms && self.sms_an_hour > 0 {
            let left =
                i64::from(self.sms_an_hour) - repo::sent_since(&self.pool, channel, now - HOUR).await?;
            if left <= 0 {
                tracing::error!("SMS_PER_HOUR is used up: no SMS is sent for a while");
                return Ok(Vec::new());
            }
            most = most.min(left);
        }
        repo::take(&self.pool, channel, most, now).await
    }

    async fn attempt(&self, channel: Channel, taken: &Taken) {
        let (notice, kind, attempt) = (taken.id, taken.kind.as_str(), taken.attempts);
        let end = self.send_one(channel, taken).await;
        let noted = match end {
            Some(end) => {
                metrics::ended(channel, end);
                tracing::info!(%notice, kind, attempt, channel = channel.name(), end = end.name(), "message ended");
                repo::end(&self.pool, notice, end, self.clock.now()).await
            }
            None => self.postpone(channel, taken).await,
        };
        if let Err(error) = noted {
            tracing::warn!(%notice, %error, "cannot note an attempt; it is made again when its lease ends");
        }
    }

    /// None when it is to be tried again.
    async fn send_one(&self, channel: Channel, taken: &Taken) -> Option<End> {
        if taken.expires_at <= self.clock.now() {
            return Some(End::Expired);
        }
        let notice = taken.id;
        let content = match self.open(taken.id, &taken.content) {
            Ok(content) => content,
            // An instance with the right key sends it.
            Err(NoticeError::Sealing(error @ SealError::OtherKey)) => {
                tracing::error!(%notice, %error, "a message cannot be read here: do all instances have one contacts.key?");
                return None;
            }
            Err(error) => {
                tracing::error!(%notice, %error, "a message cannot be read and is given up");
                return Some(End::Failed);
            }
        };
        match self.transport(channel).send(taken.id, &content).await {
            Ok(()) => Some(End::Sent),
            Err(error @ NotSent::Refused(_)) => {
                tracing::warn!(%notice, %error, channel = channel.name(), "a message was refused");
                Some(End::Failed)
            }
            Err(error @ NotSent::Failed(_)) => {
                tracing::warn!(%notice, %error, channel = channel.name(), "a message could not be sent");
                None
            }
        }
    }

    async fn postpone(&self, channel: Channel, taken: &Taken) -> sqlx::Result<()> {
        let now = self.clock.now();
        let spread = rand::random_range(0..=SPREAD);
        let Some(until) = next_attempt(taken.attempts, taken.expires_at, now, spread) else {
            metrics::ended(channel, End::Failed);
            return repo::end(&self.pool, taken.id, End::Failed, now).await;
        };
        metrics::retried(channel);
        repo::postpone(&self.pool, taken.id, taken.attempts, until).await
    }

    /// Forgets what ended long ago.
    pub(crate) async fn purge(&self) -> Result<(), NoticeError> {
        let before = self.clock.now() - KEPT;
        while repo::purge(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}
