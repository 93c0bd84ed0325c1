//! Consumer lag, in messages and in time, and rebalances. librdkafka reports the first, every few seconds.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use common_utils::clock::SharedClock;
use metrics::{counter, describe_counter, describe_gauge, gauge};
use rdkafka::{
    ClientContext, Message, Statistics,
    consumer::{BaseConsumer, Consumer as _, ConsumerContext, Rebalance},
    message::BorrowedMessage,
};

const LAG: &str = "wallet_consumer_lag";
const LAG_SECONDS: &str = "wallet_consumer_lag_seconds";
const REBALANCES: &str = "wallet_consumer_rebalances_total";

pub(crate) struct LagContext {
    service: &'static str,
    group: &'static str,
    prefix: String,
    clock: SharedClock,
    /// By topic, as the broker names it.
    oldest: Mutex<HashMap<String, Oldest>>,
}

/// The oldest message of the last batch that had any of the topic.
#[derive(Debug, Clone, Copy)]
struct Oldest {
    /// When it was published, in milliseconds since 1970.
    published: i64,
    /// When it was done with, and None while it is at hand.
    done: Option<i64>,
}

impl Oldest {
    /// Between two batches of a backlog it is as late as the last one was when it was done with.
    fn age(self, now: i64, lag: i64) -> Duration {
        let until = match self.done {
            None => now,
            Some(done) if lag > 0 => done,
            Some(_) => return Duration::ZERO,
        };
        // A clock that is ahead of ours says that it comes from the future.
        Duration::from_millis(u64::try_from(until.saturating_sub(self.published)).unwrap_or_default())
    }
}

impl LagContext {
    pub(crate) fn new(
        service: &'static str,
        group: &'static str,
        prefix: String,
        clock: SharedClock,
    ) -> Self {
        describe_gauge!(LAG, "Messages published and not yet taken in, by topic.");
        describe_gauge!(
            LAG_SECONDS,
            "Age of the oldest message that is at hand and not yet taken in, by topic."
        );
        describe_counter!(REBALANCES, "Times that partitions were assigned anew.");
        Self { service, group, prefix, clock, oldest: Mutex::default() }
    }

    /// These are at hand, and no others.
    pub(crate) fn begin(&self, batch: &[BorrowedMessage<'_>]) {
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut begun: HashMap<&str, i64> = HashMap::new();
        for message in batch {
            let Some(published) = message.timestamp().to_millis() else { continue };
            let first = begun.entry(message.topic()).or_insert(published);
            *first = published.min(*first);
        }
        for (topic, published) in begun {
            oldest.insert(topic.to_owned(), Oldest { published, done: None });
        }
    }

    /// What was at hand is done with.
    pub(crate) fn end(&self) {
        let now = self.now();
        let mut oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        for oldest in oldest.values_mut() {
            oldest.done.get_or_insert(now);
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    fn tell(&self, topic: &str, lag: i64) {
        let oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner).get(topic).copied();
        let age = oldest.map(|oldest| oldest.age(self.now(), lag)).unwrap_or_default();
        let topic = topic.strip_prefix(&self.prefix).unwrap_or(topic).to_owned();
        let labels =
            [("service", self.service.to_owned()), ("group", self.group.to_owned()), ("topic", topic)];
        gauge!(LAG, &labels).set(f64::from(u32::try_from(lag).unwrap_or(u32::MAX)));
        gauge!(LAG_SECONDS, &labels).set(age.as_secs_f64());
    }
}

impl ClientContext for LagContext {
    fn stats(&self, statistics: Statistics) {
        for (name, topic) in &statistics.topics {
            // Partitions of other members report −1.
            let lag = topic.partitions.values().map(|partition| partition.consumer_lag.max(0)).sum();
            self.tell(name, lag);
        }
    }
}

impl ConsumerContext for LagContext {
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        // A partition that was taken away while it was paused comes back paused. A slow batch that is still at work pauses it again.
        if let Rebalance::Assign(assigned) = rebalance
            && let Err(error) = consumer.resume(assigned)
        {
            tracing::error!(group = self.group, %error, "assigned partitions cannot be resumed");
        }
        tracing::debug!(group = self.group, ?rebalance, "rebalanced");
        counter!(REBALANCES, "service" => self.service, "group" => self.group).increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_at_hand_grows_older_and_what_is_done_with_has_no_age() {
        let at_hand = Oldest { published: 1_000, done: None };
        assert_eq!(at_hand.age(61_000, 0), Duration::from_mins(1));
        let done = Oldest { done: Some(3_000), ..at_hand };
        assert_eq!(done.age(61_000, 0), Duration::ZERO);
        assert_eq!(done.age(61_000, 7), Duration::from_secs(2), "as late as the last ones of a backlog");
        assert_eq!(at_hand.age(500, 0), Duration::ZERO, "from a clock that is ahead");
    }
}
