//! Dead letters: what could not be handled goes to `dlq.<topic>` as it came, with why it failed, so that the messages
//! behind it get through and it can be looked at and replayed.

use rdkafka::{
    Message,
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    util::Timeout,
};

use crate::KafkaConfig;

/// What is kept of an error, in bytes: with it the letter must still fit into its topic.
const LONGEST_ERROR: usize = 4096;
/// Ours; those of an earlier time in the queue are replaced.
const PREFIX: &str = "dlq-";

/// Why a message is set aside.
pub(crate) struct Reason<'a> {
    pub(crate) group: &'a str,
    pub(crate) error: &'a str,
    pub(crate) attempts: u32,
}

pub(crate) async fn set_aside(
    producer: &FutureProducer,
    config: &KafkaConfig,
    message: &BorrowedMessage<'_>,
    reason: &Reason<'_>,
) -> anyhow::Result<()> {
    let original = message.topic().strip_prefix(&config.prefix).unwrap_or(message.topic());
    let topic = config.prefixed(&format!("dlq.{original}"));
    let headers = headers(message, original, reason);
    let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).headers(headers);
    record.key = message.key();
    record.payload = message.payload();
    producer.send(record, Timeout::Never).await.map_err(|(error, _)| error)?;
    Ok(())
}

fn headers(message: &BorrowedMessage<'_>, topic: &str, reason: &Reason<'_>) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    if let Some(given) = message.headers() {
        for header in given.iter().filter(|header| !header.key.starts_with(PREFIX)) {
            headers = headers.insert(header);
        }
    }
    let added = [
        ("dlq-topic", topic.to_owned()),
        ("dlq-partition", message.partition().to_string()),
        ("dlq-offset", message.offset().to_string()),
        ("dlq-group", reason.group.to_owned()),
        ("dlq-error", shortened(reason.error).to_owned()),
        ("dlq-attempts", reason.attempts.to_string()),
    ];
    added.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

fn shortened(error: &str) -> &str {
    let end = error.floor_char_boundary(LONGEST_ERROR);
    error.get(..end).unwrap_or(error)
}
