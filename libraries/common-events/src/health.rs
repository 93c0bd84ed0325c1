//! Whether Kafka and Redis answer. Neither stops a service: events wait in the outbox, the inbox decides alone.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common_utils::http::health::Check;
use rdkafka::producer::{BaseProducer, Producer};
use redis::aio::ConnectionManager;

use crate::KafkaConfig;

#[derive(Clone)]
pub struct KafkaCheck(Arc<BaseProducer>);

impl std::fmt::Debug for KafkaCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KafkaCheck")
    }
}

impl KafkaCheck {
    pub fn new(config: &KafkaConfig) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(config.client().create()?)))
    }
}

#[async_trait]
impl Check for KafkaCheck {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn required(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), String> {
        let producer = Arc::clone(&self.0);
        let asked = tokio::task::spawn_blocking(move || {
            // Nobody else takes the client's events (lost connections) off its queue.
            producer.poll(Duration::from_millis(1));
            producer.client().fetch_metadata(None, Duration::from_millis(1500)).map(drop)
        });
        asked.await.map_err(|_| "not asked".to_owned())?.map_err(|error| error.to_string())
    }
}

pub struct RedisCheck(pub ConnectionManager);

impl std::fmt::Debug for RedisCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisCheck")
    }
}

#[async_trait]
impl Check for RedisCheck {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn required(&self) -> bool {
        false
    }

    async fn check(&self) -> Result<(), String> {
        let answer: redis::RedisResult<String> = redis::cmd("PING").query_async(&mut self.0.clone()).await;
        answer.map(drop).map_err(|_| "does not answer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{embedded_broker::EmbeddedBroker, testing::no_kafka};

    #[tokio::test]
    async fn a_check_that_is_not_asked_gathers_nothing() {
        let broker = EmbeddedBroker::start().unwrap();
        let config = KafkaConfig { brokers: broker.brokers(), embedded: true, ..no_kafka() };
        let check = KafkaCheck::new(&config).unwrap();
        check.check().await.unwrap();
        // Longer than the pause between two statistics.
        tokio::time::sleep(Duration::from_millis(5500)).await;
        assert_eq!(check.0.in_flight_count(), 0);
    }
}
