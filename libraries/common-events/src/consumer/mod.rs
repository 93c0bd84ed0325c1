//! A consumer takes events in, each once. It takes what has arrived, up to a bound, and for that batch:
//! 1. reads the messages (`reading.rs`): those that do not concern it, or nobody now, are passed over, what is no event is set
//!    aside;
//! 2. notes the events in the inbox and lets the handler do its work, all in one database transaction (`effect.rs`);
//! 3. stores the offsets, which are committed to Kafka in the background.
//!
//! A batch that cannot be handled is tried one by one (`intake.rs`). An event whose handler fails or panics is tried
//! again with back-off, a bounded number of times; then it is set aside in `dlq.<topic>`. While the database or another
//! system is away, the consumer waits instead: that is no fault of the message. Events of a key keep their order, but
//! those behind one that was set aside go on without it.
//!
//! A batch that takes long does not cost the consumer its membership: it keeps polling, with its partitions paused
//! (`batches.rs`).

mod batches;
mod context;
mod effect;
mod handler;
mod intake;
mod metrics;
mod reading;

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_db::PgPool;
use common_utils::clock::SharedClock;
use rdkafka::{
    Message,
    consumer::{Consumer as _, StreamConsumer},
    message::BorrowedMessage,
};
use redis::aio::ConnectionManager;
use tokio_util::sync::CancellationToken;

pub use self::handler::{EventHandler, HandlerError};
use self::intake::Intake;
pub(crate) use self::{
    batches::Batches,
    context::LagContext,
    metrics::collected,
    reading::{Offered, Reading},
};
use crate::{KafkaConfig, Topic, dedup::Dedup};

/// How long the first wait is for what is away.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Outcome {
    Handled,
    Duplicate,
    /// Not taken by this consumer.
    Skipped,
    /// The same, and no type that this build knows.
    UnknownType,
    /// The same, in a version that is newer than those that this build knows.
    FutureVersion,
    SetAside,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::Skipped => "skipped",
            Self::UnknownType => "unknown_type",
            Self::FutureVersion => "future_version",
            Self::SetAside => "dead_letter",
        }
    }
}

/// What a consumer needs.
pub struct Consumer {
    pub service: &'static str,
    /// The consumer group, which is also its name in the inbox.
    pub group: &'static str,
    pub topics: Vec<Topic>,
    pub pool: PgPool,
    pub kafka: KafkaConfig,
    /// From [`crate::dedup::connect`].
    pub redis: ConnectionManager,
    pub clock: SharedClock,
    pub handler: Arc<dyn EventHandler>,
}

impl std::fmt::Debug for Consumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Consumer")
            .field("group", &self.group)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl Consumer {
    /// Runs until `shutdown`; the batch at hand is finished first, or left whole.
    pub async fn run(&self, shutdown: CancellationToken) -> anyhow::Result<()> {
        metrics::register(self);
        let (prefix, clock) = (self.kafka.prefix.clone(), SharedClock::clone(&self.clock));
        let context = LagContext::new(self.service, self.group, prefix, clock);
        let consumer: StreamConsumer<LagContext> =
            self.kafka.consumer(self.group).create_with_context(context)?;
        let intake = Intake {
            consumer: self,
            dedup: Dedup::new(self.redis.clone(), &self.kafka.prefixed(self.group)),
            dead_letters: self.kafka.producer().create()?,
            shutdown: shutdown.clone(),
        };
        let topics: Vec<String> = self.topics.iter().map(|topic| self.kafka.prefixed(topic.name())).collect();
        consumer.subscribe(&topics.iter().map(String::as_str).collect::<Vec<_>>())?;
        let mut batches = Batches::new(self.service, &consumer);
        loop {
            let messages = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                messages = batches.next() => messages?,
            };
            let outcomes = batches.polling_during(intake.take_in(&messages)).await?;
            self.done_with(&consumer, &messages, &outcomes);
            if outcomes.len() < messages.len() {
                anyhow::ensure!(shutdown.is_cancelled(), "dead letters can no longer be written");
                return Ok(());
            }
        }
    }

    fn done_with(
        &self,
        consumer: &StreamConsumer<LagContext>,
        messages: &[BorrowedMessage<'_>],
        outcomes: &[Outcome],
    ) {
        let mut counts: HashMap<(&str, Outcome), u64> = HashMap::new();
        for (message, outcome) in messages.iter().zip(outcomes) {
            *counts.entry((message.topic(), *outcome)).or_default() += 1;
            // The partition may be another member's by now. It gets the message again, and the inbox drops it.
            if let Err(error) = consumer.store_offset_from_message(message) {
                tracing::debug!(group = self.group, %error, "an offset is not stored");
            }
        }
        for ((topic, outcome), messages) in counts {
            self.count_outcome(topic, outcome, messages);
        }
    }
}
