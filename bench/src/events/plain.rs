//! The yardsticks: Kafka's client and nothing else.

use std::time::Duration;

use common_events::KafkaConfig;
use rdkafka::{
    ClientConfig,
    consumer::{Consumer as _, StreamConsumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};

/// Keys and payloads.
pub(super) type Payloads = Vec<(String, String)>;

pub(super) async fn produce(kafka: &KafkaConfig, payloads: &Payloads) -> anyhow::Result<()> {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.type", "lz4")
        .set("linger.ms", "2")
        .create()?;
    let topic = kafka.prefixed("wallet-events");
    for (key, payload) in payloads {
        let mut record = BaseRecord::to(&topic).key(key).payload(payload);
        while let Err((error, back)) = producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            record = back;
        }
    }
    Ok(tokio::task::spawn_blocking(move || producer.flush(Duration::from_mins(5))).await??)
}

pub(super) async fn consume(kafka: &KafkaConfig, events: usize) -> anyhow::Result<()> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", kafka.prefixed("plain"))
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&[&kafka.prefixed("wallet-events")])?;
    let mut bytes = 0;
    for _ in 0..events {
        bytes += tokio::time::timeout(Duration::from_mins(1), consumer.recv()).await??.payload_len();
    }
    anyhow::ensure!(bytes > 0, "nothing was read");
    Ok(())
}
