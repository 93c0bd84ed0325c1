//! Where Kafka is, and the settings that all our clients share.

use std::time::Duration;

use common_utils::config::{ConfigError, Env};
use rdkafka::ClientConfig;

use crate::security::KafkaSecurity;

/// A message above this is refused in the business call.
pub const MAX_MESSAGE_BYTES: usize = 10 * 1024 * 1024;
/// What a topic takes: a message and its headers.
pub(crate) const TOPIC_MESSAGE_BYTES: usize = MAX_MESSAGE_BYTES + 64 * 1024;
/// What a topic of dead letters takes: why it was set aside comes on top.
pub(crate) const LETTER_BYTES: usize = TOPIC_MESSAGE_BYTES + 16 * 1024;
/// A message above this is published and warned of.
pub const LARGE_MESSAGE_BYTES: usize = 1024 * 1024;
/// A week: time enough to look at what was published.
const OUTBOX_RETENTION: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Clone)]
pub struct KafkaConfig {
    pub brokers: String,
    pub client_id: String,
    /// Put before every topic and consumer group, so that several deployments can share a cluster.
    pub prefix: String,
    /// The broker lives in this process and forgets everything when it ends: the relay then offers the whole outbox
    /// again at start.
    pub embedded: bool,
    /// What was published is taken out of the outbox after this time (`OUTBOX_RETENTION`); zero keeps it for ever. With the
    /// embedded broker it is always kept: there the outbox is all that remembers.
    pub outbox_retention: Duration,
    /// Names this process to the consumer groups for good (`KAFKA_INSTANCE_ID`): one that comes back within the session's
    /// time-out takes its partitions up again without a rebalance. No two processes of a service may have the same.
    pub instance_id: Option<String>,
    pub security: KafkaSecurity,
}

impl KafkaConfig {
    pub fn from_env(env: &Env, service: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            brokers: env.text("KAFKA_BROKERS", "127.0.0.1:9092"),
            client_id: env.text("KAFKA_CLIENT_ID", service),
            prefix: env.text("KAFKA_PREFIX", ""),
            embedded: env.text("EVENT_BROKER", "kafka") == "embedded",
            outbox_retention: env.duration("OUTBOX_RETENTION", OUTBOX_RETENTION)?,
            instance_id: env.get("KAFKA_INSTANCE_ID").map(str::to_owned),
            security: KafkaSecurity::from_env(env)?,
        })
    }

    /// The name on the cluster of one of our topics or groups.
    pub fn prefixed(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("reconnect.backoff.max.ms", "2000");
        self.security.set(&mut config);
        config
    }

    /// Idempotent, acknowledged by all in-sync replicas, in order. A message is retried until it is delivered: giving
    /// one up and sending the next would break the order of its key.
    pub(crate) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            .set("message.timeout.ms", "0")
            .set("message.max.bytes", LETTER_BYTES.to_string());
        config
    }

    /// Starts at the beginning; the offset is stored by hand after the effect is committed.
    pub(crate) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        config
            .set("group.id", self.prefixed(group))
            // For the lag. Only consumers read statistics; in a client that does not, they pile up.
            .set("statistics.interval.ms", "5000")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "true")
            .set("auto.commit.interval.ms", "1000")
            .set("enable.auto.offset.store", "false")
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("session.timeout.ms", "10000")
            .set("heartbeat.interval.ms", "2000")
            .set("fetch.wait.max.ms", "50")
            .set("max.poll.interval.ms", "600000")
            .set("queued.max.messages.kbytes", "4096");
        if let Some(instance) = &self.instance_id {
            config.set("group.instance.id", self.prefixed(&format!("{group}-{instance}")));
        }
        config
    }
}
