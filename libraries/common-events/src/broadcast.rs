//! Events that every instance of a service has to know of, and not one of them: each reads the topic by itself, from some time
//! ago on, and goes on for as long as it runs. It belongs to no consumer group, notes nothing in the inbox and commits no
//! offset, so a listener has to bear that events come again. A message that cannot be read is told of and passed over:
//! the consumers that work on it set it aside.

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context;
use chrono::TimeDelta;
use common_utils::{clock::SharedClock, ids};
use metrics::{counter, describe_counter};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
    error::KafkaError,
    types::RDKafkaErrorCode,
};
use tokio_util::sync::CancellationToken;

use crate::{Event, KafkaConfig, Topic};

const HEARD: &str = "wallet_broadcast_events_total";
/// How long Kafka has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const RESTART: Duration = Duration::from_secs(1);
/// A topic may get more partitions.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// What is done with each event.
pub trait Listener: Send + Sync {
    fn hear(&self, event: &Event) -> serde_json::Result<()>;

    /// All that was there when the reading began has been heard. Told anew when it begins anew.
    fn caught_up(&self) {}
}

/// A consumer that has all partitions from the time on.
struct Reading {
    consumer: Arc<StreamConsumer>,
    partitions: usize,
    /// Where the partitions ended that have not been read to there.
    behind: HashMap<i32, i64>,
}

impl Reading {
    /// Whether this was the last message that was there when the reading began.
    fn catches_up(&mut self, message: &impl Message) -> bool {
        let (partition, next) = (message.partition(), message.offset() + 1);
        let reached = self.behind.get(&partition).is_some_and(|end| next >= *end);
        reached && self.behind.remove(&partition).is_some() && self.behind.is_empty()
    }
}

pub struct Broadcast {
    pub service: &'static str,
    pub topic: Topic,
    pub kafka: KafkaConfig,
    /// How long ago the first event is of interest.
    pub reach: TimeDelta,
    pub clock: SharedClock,
}

impl std::fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broadcast")
            .field("service", &self.service)
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

impl Broadcast {
    /// Until `shutdown`; with Kafka away it tries again for as long as it takes.
    pub async fn run(&self, listener: &dyn Listener, shutdown: CancellationToken) {
        describe_counter!(HEARD, "Events that each instance hears for itself, by what came of them.");
        for outcome in ["heard", "broken"] {
            counter!(HEARD, "service" => self.service, "outcome" => outcome).increment(0);
        }
        while let Some(ended) = shutdown.run_until_cancelled(self.listen(listener)).await {
            match ended {
                Ok(()) => tracing::info!(
                    topic = self.topic.name(),
                    "the topic has more partitions: reading it anew"
                ),
                Err(error) => tracing::warn!(
                    topic = self.topic.name(),
                    error = format!("{error:#}"),
                    "what every instance has to know is not heard now"
                ),
            }
            shutdown.run_until_cancelled(tokio::time::sleep(RESTART)).await;
        }
    }

    /// Until the topic has another number of partitions.
    async fn listen(&self, listener: &dyn Listener) -> anyhow::Result<()> {
        let mut reading = self.start().await?;
        let (consumer, partitions) = (Arc::clone(&reading.consumer), reading.partitions);
        if reading.behind.is_empty() {
            listener.caught_up();
        }
        let mut silent = false;
        let mut look = tokio::time::interval(LOOK_AGAIN);
        look.tick().await;
        loop {
            tokio::select! {
                message = consumer.recv() => match message {
                    Ok(message) => {
                        if std::mem::take(&mut silent) {
                            tracing::info!(topic = self.topic.name(), "Kafka answers again");
                        }
                        self.hear(listener, &message);
                        if reading.catches_up(&message) {
                            listener.caught_up();
                        }
                    }
                    Err(
                        error @ (KafkaError::MessageConsumptionFatal(_)
                        | KafkaError::MessageConsumption(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::UnknownPartition)),
                    ) => return Err(error.into()),
                    // Kafka's client reconnects by itself.
                    Err(error) => {
                        if !std::mem::replace(&mut silent, true) {
                            tracing::warn!(topic = self.topic.name(), %error, "what every instance has to know is not heard now");
                        }
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                _ = look.tick() => {
                    let (asking, topic) = (Arc::clone(&consumer), self.name());
                    let now = tokio::task::spawn_blocking(move || partitions_of(&asking, &topic)).await?;
                    // While Kafka is away nothing is added to it.
                    if now.is_ok_and(|now| now.len() != partitions) {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn hear(&self, listener: &dyn Listener, message: &impl Message) {
        let payload = message.payload().unwrap_or_default();
        let heard = serde_json::from_slice(payload).and_then(|event: Event| listener.hear(&event));
        let outcome = if heard.is_ok() { "heard" } else { "broken" };
        counter!(HEARD, "service" => self.service, "outcome" => outcome).increment(1);
        if heard.is_err() {
            // Not why: the words of the message may be somebody's name.
            let (partition, offset) = (message.partition(), message.offset());
            tracing::warn!(
                topic = self.topic.name(),
                partition,
                offset,
                "a message is no event that can be read"
            );
        }
    }

    fn name(&self) -> String {
        self.kafka.prefixed(self.topic.name())
    }

    async fn start(&self) -> anyhow::Result<Reading> {
        let mut config = self.kafka.client();
        config
            // Kafka's client wants one; no offset is ever committed under it.
            .set("group.id", self.kafka.prefixed(&format!("broadcast-{}", ids::new_id())))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("fetch.wait.max.ms", "50")
            .set("queued.max.messages.kbytes", "4096");
        let (topic, embedded) = (self.name(), self.kafka.embedded);
        let from = (self.clock.now() - self.reach).timestamp_millis();
        let started = tokio::task::spawn_blocking(move || {
            let consumer: StreamConsumer = config.create()?;
            let partitions = partitions_of(&consumer, &topic)?;
            let mut wanted = TopicPartitionList::new();
            for partition in &partitions {
                wanted.add_partition_offset(&topic, *partition, Offset::Offset(from))?;
            }
            let mut ends = HashMap::with_capacity(partitions.len());
            for partition in &partitions {
                ends.insert(*partition, consumer.fetch_watermarks(&topic, *partition, PATIENCE)?.1);
            }
            // The embedded broker finds no offset by its time, and holds little.
            let found = if embedded { wanted } else { consumer.offsets_for_times(wanted, PATIENCE)? };
            let (mut starts, mut behind) = (TopicPartitionList::new(), HashMap::new());
            for (partition, end) in ends {
                let start = match found.find_partition(&topic, partition).map(|found| found.offset()) {
                    _ if embedded => 0,
                    Some(Offset::Offset(offset)) => offset,
                    // Nothing is as young; from where it ended before that was asked.
                    _ => end,
                };
                starts.add_partition_offset(&topic, partition, Offset::Offset(start))?;
                if start < end {
                    behind.insert(partition, end);
                }
            }
            consumer.assign(&starts)?;
            anyhow::Ok(Reading { consumer: Arc::new(consumer), partitions: partitions.len(), behind })
        });
        started.await?.context("the topic cannot be read")
    }
}

fn partitions_of(consumer: &StreamConsumer, topic: &str) -> anyhow::Result<Vec<i32>> {
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata
        .topics()
        .iter()
        .filter(|known| known.name() == topic)
        .flat_map(rdkafka::metadata::MetadataTopic::partitions);
    let partitions: Vec<i32> = partitions.map(rdkafka::metadata::MetadataPartition::id).collect();
    anyhow::ensure!(!partitions.is_empty(), "there is no topic {topic}");
    Ok(partitions)
}
