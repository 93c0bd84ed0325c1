//! Topics from their first message to their last. It belongs to no group and leaves nothing behind.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use common_utils::ids;
use futures::FutureExt;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer as _, StreamConsumer},
    error::KafkaError,
    message::BorrowedMessage,
    types::RDKafkaErrorCode,
};

use crate::{
    EventHandler, KafkaConfig, Topic,
    consumer::{Offered, Reading},
};

/// How long Kafka has to answer, and to send what it has.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages of one batch, and about how many bytes.
const MOST: usize = 1_000;
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// A partition on its way: its first message, the next one, and where it ended when that was noted.
#[derive(Debug, Clone, Copy)]
struct Part {
    first: i64,
    next: i64,
    end: i64,
}

type Place = (String, i32);

pub(super) struct Replay {
    consumer: Arc<StreamConsumer>,
    /// Asks where topics end. On the connection of the consumer each question would wait for what is being fetched.
    asking: Arc<BaseConsumer>,
    topics: Vec<String>,
    parts: HashMap<Place, Part>,
}

/// What was read together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) messages: u64,
    /// Those that concern the handler, in the order of their partitions.
    pub(super) offered: Vec<Offered>,
    /// Messages that are no events.
    pub(super) broken: u64,
}

impl Replay {
    /// Notes where the topics end now.
    pub(super) async fn start(kafka: &KafkaConfig, topics: &[Topic]) -> anyhow::Result<Self> {
        let mut config = kafka.client();
        config
            // Kafka's client wants one; no offset is ever committed under it.
            .set("group.id", kafka.prefixed(&format!("rebuild-{}", ids::new_id())))
            .set("enable.auto.commit", "false")
            // Should the first messages be taken away meanwhile.
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "32768");
        let asking: Arc<BaseConsumer> = Arc::new(config.create()?);
        let topics: Vec<String> = topics.iter().map(|topic| kafka.prefixed(topic.name())).collect();
        let ends = ends(&asking, &topics).await?;
        let mut partitions = TopicPartitionList::new();
        let mut parts = HashMap::with_capacity(ends.len());
        for ((topic, partition), (first, end)) in ends {
            partitions.add_partition_offset(&topic, partition, Offset::Offset(first))?;
            parts.insert((topic, partition), Part { first, next: first, end });
        }
        let consumer: StreamConsumer = config.create()?;
        consumer.assign(&partitions)?;
        Ok(Self { consumer: Arc::new(consumer), asking, topics, parts })
    }

    /// Notes anew where the topics end, and tells how many messages are left.
    pub(super) async fn note_the_end(&mut self) -> anyhow::Result<u64> {
        for (place, (_, end)) in ends(&self.asking, &self.topics).await? {
            let part = self
                .parts
                .get_mut(&place)
                .with_context(|| format!("{} has got more partitions meanwhile; begin anew", place.0))?;
            part.end = part.end.max(end);
        }
        Ok(self.total() - self.done())
    }

    /// Messages up to the noted ends.
    pub(super) fn total(&self) -> u64 {
        self.sum(|part| part.end.max(part.next) - part.first)
    }

    pub(super) fn done(&self) -> u64 {
        self.sum(|part| part.next - part.first)
    }

    fn sum(&self, of: impl Fn(&Part) -> i64) -> u64 {
        self.parts.values().map(|part| u64::try_from(of(part)).unwrap_or(0)).sum()
    }

    /// The next messages, of any partition; None when all have been read up to the noted ends.
    pub(super) async fn next(&mut self, handler: &dyn EventHandler) -> anyhow::Result<Option<Batch>> {
        if self.parts.values().all(|part| part.next >= part.end) {
            return Ok(None);
        }
        let consumer = Arc::clone(&self.consumer);
        let first = first(&consumer).await.with_context(|| {
            let waiting = self.parts.iter().filter(|(_, part)| part.next < part.end);
            let waiting: Vec<String> = waiting
                .map(|((topic, partition), part)| format!("{topic} [{partition}] {}", part.next))
                .collect();
            format!("Kafka does not send what it has, from {} on", waiting.join(", "))
        })?;
        let mut batch = Batch::default();
        let mut bytes = self.take(&first, handler, &mut batch);
        while batch.messages < MOST as u64 && bytes < MOST_BYTES {
            let Some(received) = consumer.recv().now_or_never() else { break };
            // An error comes again where it matters: when nothing else does.
            let Ok(message) = received else { break };
            bytes += self.take(&message, handler, &mut batch);
        }
        Ok(Some(batch))
    }

    /// The size of the message.
    fn take(
        &mut self,
        message: &BorrowedMessage<'_>,
        handler: &dyn EventHandler,
        batch: &mut Batch,
    ) -> usize {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        batch.messages += 1;
        match Reading::of(message, handler) {
            Reading::Ours(offered) => batch.offered.push(*offered),
            Reading::Passed(_) => {}
            Reading::Broken(broken) => {
                tracing::warn!(topic, partition, offset, cause = %broken, "a message is left out of the read model");
                batch.broken += 1;
            }
        }
        if let Some(part) = self.parts.get_mut(&(topic.to_owned(), partition)) {
            part.next = part.next.max(offset + 1);
        }
        message.payload_len()
    }
}

/// Kafka's client reconnects by itself, so an error counts when nothing came for a while.
async fn first(consumer: &StreamConsumer) -> anyhow::Result<BorrowedMessage<'_>> {
    let begun = Instant::now();
    let mut last = None;
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        match tokio::time::timeout(left, consumer.recv()).await {
            Ok(Ok(message)) => return Ok(message),
            Ok(Err(
                error @ (KafkaError::MessageConsumptionFatal(_)
                | KafkaError::MessageConsumption(RDKafkaErrorCode::Fatal)),
            )) => return Err(error.into()),
            Ok(Err(error)) => {
                last = Some(error);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(_) => {
                let silence = anyhow::anyhow!("nothing came for {} s", PATIENCE.as_secs());
                return Err(match last {
                    Some(error) => anyhow::Error::from(error).context(silence),
                    None => silence,
                });
            }
        }
    }
}

/// Of each partition, its first message and the one that comes next.
async fn ends(asking: &Arc<BaseConsumer>, topics: &[String]) -> anyhow::Result<HashMap<Place, (i64, i64)>> {
    let (asking, topics) = (Arc::clone(asking), topics.to_vec());
    let asked = tokio::task::spawn_blocking(move || {
        let mut ends = HashMap::new();
        for topic in topics {
            let metadata = asking.fetch_metadata(Some(&topic), PATIENCE).context("Kafka does not answer")?;
            let known = metadata.topics().iter().find(|known| known.name() == topic);
            let partitions = known.map_or(&[][..], rdkafka::metadata::MetadataTopic::partitions);
            anyhow::ensure!(!partitions.is_empty(), "there is no topic {topic}");
            for partition in partitions {
                let place = (topic.clone(), partition.id());
                let bounds = asking.fetch_watermarks(&topic, partition.id(), PATIENCE);
                ends.insert(place, bounds.with_context(|| format!("{topic} cannot be read"))?);
            }
        }
        anyhow::Ok(ends)
    });
    asked.await?
}
