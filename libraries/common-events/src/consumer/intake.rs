//! One message on its way in: parsed, tried, and in the end handled, known, or set aside.

use std::{panic::AssertUnwindSafe, time::Duration};

use common_utils::{correlation, crash_point};
use futures::FutureExt;
use metrics::{counter, histogram};
use rdkafka::{Message, message::BorrowedMessage, producer::FutureProducer};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{Consumer, HandlerError, PAUSE};
use crate::{
    Event,
    dedup::Dedup,
    dlq::{self, Reason},
    inbox,
};

const ATTEMPTS: u32 = 5;
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What became of a message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Handled,
    Duplicate,
    SetAside,
}

impl Outcome {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Handled => "handled",
            Self::Duplicate => "duplicate",
            Self::SetAside => "dead_letter",
        }
    }
}

/// What a running consumer has.
pub(super) struct Intake<'a> {
    pub(super) consumer: &'a Consumer,
    pub(super) dedup: Dedup,
    pub(super) dead_letters: FutureProducer,
    pub(super) shutdown: CancellationToken,
}

impl Intake<'_> {
    /// None when it was told to stop before the message was done with.
    pub(super) async fn take_in(&self, message: &BorrowedMessage<'_>) -> Option<Outcome> {
        let event: Event = match serde_json::from_slice(message.payload().unwrap_or_default()) {
            Ok(event) => event,
            Err(error) => {
                let reason = format!("not an event: {error}");
                return self.set_aside(message, &reason, 0).await;
            }
        };
        let correlation_id = correlation::accept(Some(&event.correlationid));
        let span = tracing::info_span!("event", kind = event.kind, correlation_id);
        correlation::scope(correlation_id, self.attempt(message, &event)).instrument(span).await
    }

    async fn attempt(&self, message: &BorrowedMessage<'_>, event: &Event) -> Option<Outcome> {
        let (mut failures, mut pause) = (0, PAUSE);
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
            tracing::warn!(service = self.consumer.service, kind, %id, failures, %error, "an event could not be handled");
            if failures >= ATTEMPTS {
                return self.set_aside(message, &error.to_string(), failures).await;
            }
            counter!("wallet_consumer_retries_total", "service" => self.consumer.service, "group" => self.consumer.group)
                .increment(1);
            tokio::select! {
                () = self.shutdown.cancelled() => return None,
                () = tokio::time::sleep(jittered(pause)) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn once(&self, event: &Event) -> Result<Outcome, HandlerError> {
        if self.dedup.seen(event.id).await
            && inbox::has(&self.consumer.pool, self.consumer.group, event.id).await?
        {
            return Ok(Outcome::Duplicate);
        }
        let started = std::time::Instant::now();
        let mut op = common_db::begin(&self.consumer.pool).await?;
        let fresh =
            inbox::accept_in_op(&mut op, self.consumer.group, event.id, self.consumer.clock.now()).await?;
        if fresh {
            self.consumer.handler.handle_in_op(&mut op, event).await?;
            crash_point!("consumer.before_commit");
        }
        op.commit().await?;
        crash_point!("consumer.after_commit");
        self.dedup.mark(event.id).await;
        if !fresh {
            return Ok(Outcome::Duplicate);
        }
        self.consumer.handler.committed(event).await;
        histogram!("wallet_consumer_handle_duration_seconds", "service" => self.consumer.service, "group" => self.consumer.group)
            .record(started.elapsed());
        Ok(Outcome::Handled)
    }

    async fn set_aside(&self, message: &BorrowedMessage<'_>, error: &str, attempts: u32) -> Option<Outcome> {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        tracing::error!(
            service = self.consumer.service,
            topic,
            partition,
            offset,
            error,
            "message set aside"
        );
        let reason = Reason { group: self.consumer.group, error, attempts };
        loop {
            let sent = tokio::select! {
                () = self.shutdown.cancelled() => return None,
                sent = dlq::set_aside(&self.dead_letters, &self.consumer.kafka, message, &reason) => sent,
            };
            match sent {
                Ok(()) => return Some(Outcome::SetAside),
                Err(error) => {
                    tracing::error!(error = format!("{error:#}"), "cannot write the dead letter yet");
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Between half and all of the pause, so that consumers do not knock in step.
fn jittered(pause: Duration) -> Duration {
    let half = pause / 2;
    let spread = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
    half + Duration::from_millis(rand::random_range(0..=spread))
}
