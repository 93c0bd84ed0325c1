//! Dead letters: what could not be handled goes to `dlq.<topic>` as it came, with why it failed, so that the messages
//! behind it get through and it can be looked at and replayed.
//!
//! Beside the headers that it had, a letter has `dlq-topic`, `dlq-partition`, `dlq-offset` (where it was), `dlq-group` (who
//! could not handle it), `dlq-error`, `dlq-causes` (what was behind the error, a line each), `dlq-attempts`, `dlq-time`. A message that is
//! too large for a letter is left out of it, with its own headers; `dlq-left-out` has its size.

mod collector;
mod letter;
mod replay;

use chrono::{DateTime, SecondsFormat, Utc};
use rdkafka::{
    Message,
    error::{KafkaError, KafkaResult},
    message::{BorrowedMessage, Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
    types::RDKafkaErrorCode,
    util::Timeout,
};

pub use collector::{Collector, LetterBox};
pub use letter::Letter;
pub use replay::{Replay, Replayed, Replayer};

use crate::{KafkaConfig, Topic};

/// What is kept of an error and of what was behind it, in bytes each: with them the letter must still fit into its topic.
const LONGEST_ERROR: usize = 4096;
/// Of our headers; those of an earlier time in the queue are replaced.
const PREFIX: &str = "dlq-";
const TOPIC_PREFIX: &str = "dlq.";

/// Why a message is set aside.
pub(crate) struct Reason<'a> {
    pub(crate) group: &'a str,
    /// What went wrong, and what was behind it, the outermost first.
    pub(crate) causes: &'a [String],
    /// Zero where the message cannot be tried at all.
    pub(crate) attempts: u32,
    pub(crate) now: DateTime<Utc>,
}

/// Where the dead letters of a topic go.
fn letters_of(topic: Topic) -> String {
    format!("{TOPIC_PREFIX}{}", topic.name())
}

pub(crate) async fn set_aside(
    producer: &FutureProducer,
    config: &KafkaConfig,
    message: &BorrowedMessage<'_>,
    reason: &Reason<'_>,
) -> KafkaResult<()> {
    let original = message.topic().strip_prefix(&config.prefix).unwrap_or(message.topic());
    let topic = config.prefixed(&format!("{TOPIC_PREFIX}{original}"));
    let whole = headers(message, original, reason);
    let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).headers(whole);
    record.key = message.key();
    record.payload = message.payload();
    match send(producer, record).await {
        // Compressed it fitted into its topic. What is kept is where it lies.
        Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)) => {
            let left_out = message.payload_len().to_string();
            let headers = reasons(OwnedHeaders::new(), message, original, reason)
                .insert(Header { key: "dlq-left-out", value: Some(&left_out) });
            send(producer, FutureRecord::to(&topic).headers(headers)).await
        }
        sent => sent,
    }
}

async fn send(producer: &FutureProducer, record: FutureRecord<'_, [u8], [u8]>) -> KafkaResult<()> {
    producer.send(record, Timeout::Never).await.map(drop).map_err(|(error, _)| error)
}

fn headers(message: &BorrowedMessage<'_>, topic: &str, reason: &Reason<'_>) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new();
    if let Some(given) = message.headers() {
        for header in given.iter().filter(|header| !header.key.starts_with(PREFIX)) {
            headers = headers.insert(header);
        }
    }
    reasons(headers, message, topic, reason)
}

fn reasons(
    headers: OwnedHeaders,
    message: &BorrowedMessage<'_>,
    topic: &str,
    reason: &Reason<'_>,
) -> OwnedHeaders {
    let (first, behind) = match reason.causes {
        [first, behind @ ..] => (first.clone(), behind.join("\n")),
        [] => Default::default(),
    };
    let added = [
        ("dlq-topic", topic.to_owned()),
        ("dlq-partition", message.partition().to_string()),
        ("dlq-offset", message.offset().to_string()),
        ("dlq-group", reason.group.to_owned()),
        ("dlq-error", shortened(&first).to_owned()),
        ("dlq-causes", shortened(&behind).to_owned()),
        ("dlq-attempts", reason.attempts.to_string()),
        ("dlq-time", reason.now.to_rfc3339_opts(SecondsFormat::Micros, true)),
    ];
    added.iter().fold(headers, |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
}

fn shortened(error: &str) -> &str {
    let end = error.floor_char_boundary(LONGEST_ERROR);
    error.get(..end).unwrap_or(error)
}
