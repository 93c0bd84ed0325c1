//! Puts messages back into the topic that they came from.

use std::time::Duration;

use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};

use crate::KafkaConfig;

/// A message as it was when it came.
#[derive(Debug, Clone)]
pub struct Replay {
    pub topic: String,
    pub key: Option<Vec<u8>>,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, String)>,
}

/// What became of one of them.
#[derive(Debug)]
pub enum Replayed {
    Taken,
    /// It will not be taken as it is.
    Refused(KafkaError),
    /// Kafka has not answered in time. It may get there all the same.
    Unanswered,
}

/// Publishes replays. An event keeps its id, so those who had it drop it.
pub struct Replayer {
    kafka: KafkaConfig,
    producer: FutureProducer,
}

impl std::fmt::Debug for Replayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Replayer")
    }
}

impl Replayer {
    pub fn new(kafka: &KafkaConfig) -> anyhow::Result<Self> {
        Ok(Self { kafka: kafka.clone(), producer: kafka.producer().create()? })
    }

    /// Tells what became of each within `patience`.
    pub async fn publish(&self, replays: &[Replay], patience: Duration) -> Vec<Replayed> {
        let deadline = tokio::time::Instant::now() + patience;
        let mut deliveries = Vec::with_capacity(replays.len());
        for replay in replays {
            let topic = self.kafka.prefixed(&replay.topic);
            let headers = replay.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
                headers.insert(Header { key, value: Some(value) })
            });
            let mut record: FutureRecord<'_, [u8], [u8]> =
                FutureRecord::to(&topic).payload(&replay.payload[..]).headers(headers);
            record.key = replay.key.as_deref();
            deliveries.push(self.producer.send_result(record).map_err(|(error, _)| error));
        }
        let mut results = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            results.push(match delivery {
                // What has been answered is told after the deadline, too.
                Ok(delivery) => match tokio::time::timeout_at(deadline, delivery).await {
                    Ok(Ok(Ok(_))) => Replayed::Taken,
                    Ok(Ok(Err((error, _)))) => Replayed::Refused(error),
                    Ok(Err(_)) => Replayed::Refused(KafkaError::Canceled),
                    Err(_) => Replayed::Unanswered,
                },
                Err(error) => Replayed::Refused(error),
            });
        }
        results
    }
}
