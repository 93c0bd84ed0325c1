//! Kafka and Redis for tests: the real ones, which `TEST_KAFKA_BROKERS` and `TEST_REDIS_URL` name, or none.

use std::time::Duration;

use common_utils::{config::RedisConfig, ids};

use crate::{
    KafkaConfig,
    security::KafkaSecurity,
    topics::{self, Partitions},
};

/// The real Kafka, with topics and groups of this test alone.
///
/// # Panics
/// Without a Kafka: a test that needs one has nothing to test.
#[expect(clippy::panic, reason = "for tests only")]
pub async fn kafka() -> KafkaConfig {
    let brokers = required("TEST_KAFKA_BROKERS");
    let prefix = format!("test-{}-", ids::new_id().simple());
    let config = KafkaConfig { brokers, prefix, ..no_kafka() };
    if let Err(error) = topics::apply(&config, Partitions::AsTheyAre).await {
        panic!("no topics to test with: {error:#}");
    }
    config
}

/// Nobody listens there.
pub fn no_kafka() -> KafkaConfig {
    KafkaConfig {
        brokers: "127.0.0.1:1".to_owned(),
        client_id: "test".to_owned(),
        prefix: String::new(),
        embedded: false,
        outbox_retention: Duration::ZERO,
        instance_id: None,
        security: KafkaSecurity::default(),
    }
}

/// The real Redis.
///
/// # Panics
/// Without a Redis: a test that needs one has nothing to test.
#[expect(clippy::panic, reason = "for tests only")]
pub fn redis() -> RedisConfig {
    let url = required("TEST_REDIS_URL");
    let address = url.trim_start_matches("redis://").trim_end_matches('/').rsplit_once(':');
    let parsed = address.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    let Some((host, port)) = parsed else { panic!("TEST_REDIS_URL must be redis://host:port") };
    RedisConfig { host, port, password: None }
}

/// Nobody listens there.
pub fn no_redis() -> RedisConfig {
    RedisConfig { host: "127.0.0.1".to_owned(), port: 1, password: None }
}

#[expect(clippy::panic, reason = "for tests only")]
fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("set {name}, or run scripts/test.sh"))
}
