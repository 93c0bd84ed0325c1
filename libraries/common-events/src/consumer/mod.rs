//! A consumer takes events in, each once. For every message:
//! 1. parse the envelope; what is no event is set aside at once;
//! 2. skip it if Redis remembers that it took effect, and a look into the inbox agrees;
//! 3. in one database transaction: note it in the inbox (or stop, if it is there), let the handler do its work, commit;
//! 4. store the offset, which is committed to Kafka in the background.
//!
//! A handler that fails or panics is tried again with back-off, a bounded number of times; then the message is set aside in
//! `dlq.<topic>`. While the database or another system is away, the consumer waits instead: that is no fault of the
//! message. Events of a key keep their order.

mod context;

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use async_trait::async_trait;
use common_db::{Op, PgPool, constraint};
use common_utils::{clock::SharedClock, correlation};
use futures::FutureExt;
use metrics::{counter, describe_counter, histogram};
use rdkafka::{
    Message,
    consumer::{Consumer as _, StreamConsumer},
    message::BorrowedMessage,
    producer::FutureProducer,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Event, KafkaConfig, Topic,
    dedup::Dedup,
    dlq::{self, Reason},
    inbox,
};
use context::LagContext;

const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

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
    pub dedup: Dedup,
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

/// What became of a message.
#[derive(Debug, Clone, Copy)]
enum Outcome {
    Handled,
    Duplicate,
    SetAside,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::SetAside => "dead_letter",
        }
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
        let dead_letters: FutureProducer = self.kafka.producer().create()?;
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
                    let Some(outcome) = self.take_in(&message, &dead_letters, &shutdown).await else { break };
                    self.count(message.topic(), outcome);
                    consumer.store_offset_from_message(&message)?;
                }
                // librdkafka reconnects and resumes by itself.
                Err(error) => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(service = self.service, %error, "Kafka does not answer; waiting for it");
                    }
                    tokio::time::sleep(FIRST_PAUSE).await;
                }
            }
        }
        Ok(())
    }

    /// None when it was told to stop before the message was done with.
    async fn take_in(
        &self,
        message: &BorrowedMessage<'_>,
        dead_letters: &FutureProducer,
        shutdown: &CancellationToken,
    ) -> Option<Outcome> {
        let event: Event = match serde_json::from_slice(message.payload().unwrap_or_default()) {
            Ok(event) => event,
            Err(error) => {
                let reason = format!("not an event: {error}");
                return self.set_aside(message, dead_letters, &reason, 0, shutdown).await;
            }
        };
        let correlation_id = correlation::accept(Some(&event.correlationid));
        correlation::scope(correlation_id, self.attempt(message, &event, dead_letters, shutdown)).await
    }

    async fn attempt(
        &self,
        message: &BorrowedMessage<'_>,
        event: &Event,
        dead_letters: &FutureProducer,
        shutdown: &CancellationToken,
    ) -> Option<Outcome> {
        let (mut failures, mut pause) = (0, FIRST_PAUSE);
        loop {
            let error = match AssertUnwindSafe(self.once(event)).catch_unwind().await {
                Ok(Ok(outcome)) => return Some(outcome),
                Ok(Err(error)) => error,
                // The panic hook has logged where and why. The transaction was rolled back.
                Err(_) => HandlerError::Failed(anyhow::anyhow!("the handler panicked")),
            };
            if matches!(error, HandlerError::Failed(_)) {
                failures += 1;
            }
            let (kind, id) = (&event.kind, event.id);
            tracing::warn!(service = self.service, kind, %id, failures, %error, "an event could not be handled");
            if failures >= ATTEMPTS {
                return self.set_aside(message, dead_letters, &error.to_string(), failures, shutdown).await;
            }
            counter!("wallet_consumer_retries_total", "service" => self.service, "group" => self.group)
                .increment(1);
            tokio::select! {
                () = shutdown.cancelled() => return None,
                () = tokio::time::sleep(jittered(pause)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self, event: &Event) -> Result<Outcome, HandlerError> {
        if self.dedup.seen(event.id).await && inbox::has(&self.pool, self.group, event.id).await? {
            return Ok(Outcome::Duplicate);
        }
        let started = std::time::Instant::now();
        let mut op = common_db::begin(&self.pool).await?;
        let fresh = inbox::accept_in_op(&mut op, self.group, event.id, self.clock.now()).await?;
        if fresh {
            self.handler.handle_in_op(&mut op, event).await?;
        }
        op.commit().await?;
        self.dedup.mark(event.id).await;
        if !fresh {
            return Ok(Outcome::Duplicate);
        }
        self.handler.committed(event).await;
        histogram!("wallet_consumer_handle_duration_seconds", "service" => self.service, "group" => self.group)
            .record(started.elapsed());
        Ok(Outcome::Handled)
    }

    async fn set_aside(
        &self,
        message: &BorrowedMessage<'_>,
        dead_letters: &FutureProducer,
        error: &str,
        attempts: u32,
        shutdown: &CancellationToken,
    ) -> Option<Outcome> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        tracing::error!(service = self.service, topic, partition, offset, error, "message set aside");
        let reason = Reason { group: self.group, error, attempts };
        loop {
            let sent = tokio::select! {
                () = shutdown.cancelled() => return None,
                sent = dlq::set_aside(dead_letters, &self.kafka, message, &reason) => sent,
            };
            match sent {
                Ok(()) => return Some(Outcome::SetAside),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "cannot write the dead letter yet");
                }
            }
            tokio::time::sleep(FIRST_PAUSE).await;
        }
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

/// Between half and all of the pause, so that consumers do not knock in step.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(rand::random_range(0..=spread))
}
