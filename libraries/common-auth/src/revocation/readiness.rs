//! Whether an instance knows what was taken back before it started. Until then it could believe a token of a session that has
//! ended, so it is not ready: at the longest for half a minute, because with Kafka away it has to serve all the same.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{clock::SharedClock, http::health::Check};

use super::Revocations;

/// So long an instance that has started waits for Kafka.
const PATIENCE: TimeDelta = TimeDelta::seconds(30);

#[derive(Debug, Default)]
pub(super) struct Informed {
    /// When the instance began to listen. Who never does is no service that hears of anything.
    since: OnceLock<DateTime<Utc>>,
    heard: AtomicBool,
}

impl Revocations {
    pub(super) fn listening(&self, since: DateTime<Utc>) {
        self.informed.since.get_or_init(|| since);
    }

    /// All that was taken back before the start has been heard.
    pub(super) fn caught_up(&self) {
        self.informed.heard.store(true, Ordering::Relaxed);
    }

    /// When it began to listen, where it has not heard everything yet.
    fn behind(&self) -> Option<DateTime<Utc>> {
        let heard = self.informed.heard.load(Ordering::Relaxed);
        self.informed.since.get().copied().filter(|_| !heard)
    }
}

/// Part of a service's readiness.
#[derive(Debug, Clone)]
pub struct RevocationsCheck {
    pub list: Arc<Revocations>,
    pub clock: SharedClock,
}

#[async_trait]
impl Check for RevocationsCheck {
    fn name(&self) -> &'static str {
        "sessions"
    }

    fn required(&self) -> bool {
        // Whatever was heard meanwhile: it is asked after the check, whose answer it must fit.
        self.list.informed.since.get().is_some_and(|since| self.clock.now() < *since + PATIENCE)
    }

    async fn check(&self) -> Result<(), String> {
        match self.list.behind() {
            Some(_) => Err("which sessions have ended is not known yet".to_owned()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use common_utils::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn an_instance_is_not_ready_before_it_has_heard_and_does_not_wait_for_ever() {
        let clock = ManualClock::new(DateTime::UNIX_EPOCH);
        let list = Arc::new(Revocations::default());
        let check = RevocationsCheck { list: Arc::clone(&list), clock: Arc::clone(&clock) as SharedClock };
        assert!(check.check().await.is_ok(), "who does not listen waits for nothing");
        list.listening(DateTime::UNIX_EPOCH);
        assert!(check.check().await.is_err() && check.required());
        clock.advance(PATIENCE);
        assert!(check.check().await.is_err() && !check.required(), "told, and served all the same");
        list.caught_up();
        assert!(check.check().await.is_ok());
    }
}
