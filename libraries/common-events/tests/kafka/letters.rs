//! Dead letters, as they lie in their topic.

use std::{collections::HashMap, time::Duration};

use common_events::KafkaConfig;
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer as _, StreamConsumer},
    message::Headers,
};

/// A dead letter: the bytes that were set aside, and what was written beside them.
pub(crate) struct Letter {
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) bytes: Vec<u8>,
    pub(crate) headers: HashMap<String, String>,
}

impl Letter {
    pub(crate) fn error(&self) -> &str {
        &self.headers["dlq-error"]
    }
}

/// The first dead letters of `user-events`.
pub(crate) async fn dead_letters(kafka: &KafkaConfig, how_many: usize) -> Vec<Letter> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", kafka.prefixed("reader"))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[&kafka.prefixed("dlq.user-events")]).unwrap();
    let mut found = Vec::new();
    while found.len() < how_many {
        let message = tokio::time::timeout(Duration::from_mins(1), consumer.recv())
            .await
            .expect("a dead letter")
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().unwrap().iter();
        let headers = headers.map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect();
        let (key, bytes) =
            (message.key().map(<[u8]>::to_vec), message.payload().unwrap_or_default().to_vec());
        found.push(Letter { key, bytes, headers });
    }
    found
}
