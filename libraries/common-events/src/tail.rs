//! Reads topics as they grow, for somebody who watches. It belongs to no group and leaves nothing behind.

use std::time::Duration;

use anyhow::Context;
use common_utils::ids;
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{Consumer as _, StreamConsumer},
};

use crate::{Event, KafkaConfig, Topic};

const PATIENCE: Duration = Duration::from_secs(10);

/// Which events are shown.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// A type, with `*` for any letters: `wallet.*`.
    pub kind: Option<String>,
    /// The id of the aggregate.
    pub key: Option<String>,
}

/// A message that passed the filter.
#[derive(Debug)]
pub struct Seen {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// The payload as it is.
    pub payload: String,
    /// None where it is no event.
    pub event: Option<Event>,
}

/// Follows all topics of ours.
pub struct Tail {
    prefix: String,
    consumer: StreamConsumer,
    filter: Filter,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").field("filter", &self.filter).finish_non_exhaustive()
    }
}

impl Tail {
    /// From now on, or from the first event that was ever published.
    pub async fn start(kafka: &KafkaConfig, filter: Filter, from_beginning: bool) -> anyhow::Result<Self> {
        let mut config = kafka.client();
        config
            // Kafka's client wants one; no offset is ever committed under it.
            .set("group.id", kafka.prefixed(&format!("tail-{}", ids::new_id())))
            .set("enable.auto.commit", "false")
            .set("fetch.wait.max.ms", "50");
        let topics = Topic::ALL.map(|topic| kafka.prefixed(topic.name()));
        let assigned = tokio::task::spawn_blocking(move || {
            let consumer: StreamConsumer = config.create()?;
            let mut partitions = TopicPartitionList::new();
            for topic in topics {
                let metadata = consumer.fetch_metadata(Some(&topic), PATIENCE)?;
                let all = metadata.topics().iter().flat_map(rdkafka::metadata::MetadataTopic::partitions);
                for partition in all {
                    let offset = if from_beginning {
                        Offset::Beginning
                    } else {
                        // The end as it is now, and not when the first fetch comes by.
                        Offset::Offset(consumer.fetch_watermarks(&topic, partition.id(), PATIENCE)?.1)
                    };
                    partitions.add_partition_offset(&topic, partition.id(), offset)?;
                }
            }
            consumer.assign(&partitions)?;
            anyhow::Ok(consumer)
        });
        let consumer = assigned.await?.context("the topics cannot be read")?;
        Ok(Self { prefix: kafka.prefix.clone(), consumer, filter })
    }

    /// The next message that passes the filter.
    pub async fn next(&self) -> anyhow::Result<Seen> {
        loop {
            let message = match self.consumer.recv().await {
                Ok(message) => message,
                // Kafka's client reconnects by itself.
                Err(error) => {
                    tracing::warn!(%error, "Kafka does not answer; waiting for it");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let payload = message.payload().unwrap_or_default();
            let event: Option<Event> = serde_json::from_slice(payload).ok();
            if self.filter.passes(event.as_ref(), message.key()) {
                let topic = message.topic().strip_prefix(&self.prefix).unwrap_or(message.topic());
                return Ok(Seen {
                    topic: topic.to_owned(),
                    partition: message.partition(),
                    offset: message.offset(),
                    payload: String::from_utf8_lossy(payload).into_owned(),
                    event,
                });
            }
        }
    }
}

impl Filter {
    fn passes(&self, event: Option<&Event>, key: Option<&[u8]>) -> bool {
        let kind = |pattern: &String| event.is_some_and(|event| matches(pattern, &event.kind));
        let same = |wanted: &String| key == Some(wanted.as_bytes());
        self.kind.as_ref().is_none_or(kind) && self.key.as_ref().is_none_or(same)
    }
}

/// `*` stands for any letters, none too.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    (0..=text.len()).filter_map(|place| text.get(place..)).any(|tail| matches(rest, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, text, fits) in [
            ("wallet.credited", "wallet.credited", true),
            ("wallet.credited", "wallet.credited2", false),
            ("wallet.*", "wallet.hold.placed", true),
            ("wallet.*", "wallets", false),
            ("*.completed", "transaction.completed", true),
            ("*.completed", "transaction.completed.late", false),
            ("w*.hold.*d", "wallet.hold.placed", true),
            ("*", "", true),
            ("", "wallet", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
