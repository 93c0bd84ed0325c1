//! Takes dead letters off their topics, so that somebody can look at them.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common_utils::clock::SharedClock;
use rdkafka::{
    Message,
    consumer::{Consumer as _, StreamConsumer},
};
use tokio_util::sync::CancellationToken;

use super::{Letter, letters_of};
use crate::{
    KafkaConfig, Topic,
    consumer::{Batches, LagContext, collected},
};

/// How long it waits when letters cannot be kept.
const PAUSE: Duration = Duration::from_secs(1);

/// Where letters are kept.
#[async_trait]
pub trait LetterBox: Send + Sync {
    /// Keeps them, durably. Letters that are there already stay as they are.
    async fn keep(&self, letters: &[Letter]) -> anyhow::Result<()>;
}

/// Collects the dead letters of all topics.
pub struct Collector {
    pub service: &'static str,
    pub group: &'static str,
    pub kafka: KafkaConfig,
    pub clock: SharedClock,
    pub letters: Arc<dyn LetterBox>,
}

impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").field("group", &self.group).finish_non_exhaustive()
    }
}

impl Collector {
    /// Runs until `shutdown`. A letter is kept before its offset is stored, and tried until it is.
    pub async fn run(&self, shutdown: CancellationToken) -> anyhow::Result<()> {
        let (prefix, clock) = (self.kafka.prefix.clone(), SharedClock::clone(&self.clock));
        let context = LagContext::new(self.service, self.group, prefix, clock);
        let consumer: StreamConsumer<LagContext> =
            self.kafka.consumer(self.group).create_with_context(context)?;
        let topics = Topic::ALL.map(|topic| self.kafka.prefixed(&letters_of(topic)));
        consumer.subscribe(&topics.each_ref().map(String::as_str))?;
        let mut batches = Batches::new(self.service, &consumer);
        loop {
            let messages = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                messages = batches.next() => messages?,
            };
            let now = self.clock.now();
            let read = |message| Letter::read(message, &self.kafka.prefix, now);
            let letters: Vec<Letter> = messages.iter().map(read).collect();
            if !batches.polling_during(self.keep(&letters, &shutdown)).await? {
                return Ok(());
            }
            for message in &messages {
                let topic = message.topic().strip_prefix(&self.kafka.prefix).unwrap_or(message.topic());
                collected(self.service, self.group, topic);
                // The partition may be another member's by now, which keeps the letter again, to no effect.
                if let Err(error) = consumer.store_offset_from_message(message) {
                    tracing::debug!(group = self.group, %error, "an offset is not stored");
                }
            }
        }
    }

    /// False when it was told to stop before they were kept.
    async fn keep(&self, letters: &[Letter], shutdown: &CancellationToken) -> bool {
        while let Err(error) = self.letters.keep(letters).await {
            tracing::error!(
                service = self.service,
                letters = letters.len(),
                error = format!("{error:#}"),
                "dead letters could not be kept"
            );
            tokio::select! {
                () = shutdown.cancelled() => return false,
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
        true
    }
}
