//! A consumer takes events in, each once. For every message:
//! 1. parse the envelope; what is no event is set aside at once;
//! 2. skip it if Redis remembers that it took effect, and a look into the inbox agrees;
//! 3. in one database transaction: note it in the inbox (or stop, if it is there), let the handler do its work, commit;
//! 4. store the offset, which is committed to Kafka in the background.
//!
//! A handler that fails or panics is tried again with back-off, a bounded number of times; then the message is set aside in
//! `dlq.<topic>`. While the database or another system is away, the consumer waits instead: that is no fault of the
//! message. Events of a key keep their order, but those behind one that was set aside go on without it.

mod context;
mod intake;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common_db::{Op, PgPool, constraint};
use common_utils::clock::SharedClock;
use metrics::{counter, describe_counter};
use rdkafka::{
    Message,
    consumer::{Consumer as _, StreamConsumer},
};
use redis::aio::ConnectionManager;
use tokio_util::sync::CancellationToken;

use crate::{Event, KafkaConfig, Topic, dedup::Dedup};
use context::LagContext;
use intake::{Intake, Outcome};

/// How long the first wait is for what is away.
const PAUSE: Duration = Duration::from_millis(100);

/// Why a handler did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Something it needs is away: wait and try again, for as long as it takes.
    #[error("{0:#}")]
    Unavailable(anyhow::Error),
    /// The message or our code is at fault: try a few times, then set the message aside.
    #[error("{0:#}")]
    Failed(anyhow::Error),
}

impl From<sqlx::Error> for HandlerError {
    fn from(error: sqlx::Error) -> Self {
        if constraint::is_transient(&error) {
            Self::Unavailable(error.into())
        } else {
            Self::Failed(error.into())
        }
    }
}

impl From<crate::outbox::OutboxError> for HandlerError {
    fn from(error: crate::outbox::OutboxError) -> Self {
        match error {
            crate::outbox::OutboxError::Database(error) => error.into(),
            other => Self::Failed(other.into()),
        }
    }
}

impl From<serde_json::Error> for HandlerError {
    fn from(error: serde_json::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// The effect of events on one service's database.
#[async_trait]
pub trait EventHandler: Send + Sync {
    /// Does its work in `op` and does not commit. Types that do not concern it are left alone.
    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError>;

    /// Called after the commit: wakes workers that wait for what the event brought.
    async fn committed(&self, _event: &Event) {}
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
    /// Runs until `shutdown`; the message at hand is finished first.
    pub async fn run(&self, shutdown: CancellationToken) -> anyhow::Result<()> {
        describe_counter!("wallet_consumer_messages_total", "Messages taken in, by outcome.");
        describe_counter!(
            "wallet_consumer_retries_total",
            "Attempts at a message that failed and were repeated."
        );
        counter!("wallet_consumer_retries_total", "service" => self.service, "group" => self.group)
            .absolute(0);
        let context = LagContext::new(self.service, self.group, self.kafka.prefix.clone());
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
        let mut away = false;
        loop {
            let message = tokio::select! {
                () = shutdown.cancelled() => break,
                message = consumer.recv() => message,
            };
            match message {
                Ok(message) => {
                    away = false;
                    let Some(outcome) = intake.take_in(&message).await else { break };
                    self.count(message.topic(), outcome);
                    consumer.store_offset_from_message(&message)?;
                }
                // librdkafka reconnects and resumes by itself.
                Err(error) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(service = self.service, %error, "Kafka does not answer; waiting for it");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Ok(())
    }

    fn count(&self, topic: &str, outcome: Outcome) {
        let topic = topic.strip_prefix(&self.kafka.prefix).unwrap_or(topic).to_owned();
        counter!(
            "wallet_consumer_messages_total",
            "service" => self.service, "group" => self.group, "topic" => topic, "outcome" => outcome.label()
        )
        .increment(1);
    }
}
