//! A broker inside the process, for machines without Java: librdkafka's mock cluster, which speaks the real protocol
//! and keeps everything in memory.
//!
//! Nothing is lost when the process ends: the outbox keeps what was not relayed, the relay offers the whole outbox
//! again at start (see [`crate::relay`]), and the inbox drops what comes twice. It holds at most about 5 MiB a
//! partition, so it is for development, not for production.

use rdkafka::{mocking::MockCluster, producer::DefaultProducerContext};

use crate::topics;

pub struct EmbeddedBroker(MockCluster<'static, DefaultProducerContext>);

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("EmbeddedBroker").field(&self.brokers()).finish()
    }
}

impl EmbeddedBroker {
    /// Starts the broker, with all topics. It ends when it is dropped.
    pub fn start() -> anyhow::Result<Self> {
        let cluster = MockCluster::new(1)?;
        for topic in topics::declared()? {
            cluster.create_topic(&topic.name, topic.partitions, 1)?;
        }
        tracing::warn!(
            brokers = cluster.bootstrap_servers(),
            "using the EMBEDDED broker: events live in memory until they are consumed; not for production"
        );
        Ok(Self(cluster))
    }

    /// What clients connect to.
    pub fn brokers(&self) -> String {
        self.0.bootstrap_servers()
    }
}
