//! A dead letter, read. Whatever lies in the queue can be read: what is missing is empty.

use chrono::{DateTime, Datelike, Utc};
use rdkafka::{
    Message,
    message::{BorrowedMessage, Headers},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{PREFIX, TOPIC_PREFIX};
use crate::Event;

/// Headers of more than this, in bytes, are not ours, and are kept shortened.
const LONGEST_HEADER: usize = 64 * 1024;
const LONGEST_NAME: usize = 200;

#[derive(Debug, Clone)]
pub struct Letter {
    /// The topic that the message was taken from.
    pub topic: String,
    /// Where it was there.
    pub partition: i32,
    pub offset: i64,
    /// Who could not handle it.
    pub group: String,
    pub error: String,
    /// What was behind the error, the outermost first.
    pub causes: Vec<String>,
    pub attempts: i32,
    pub set_aside_at: DateTime<Utc>,
    /// The message as it came: key and payload, and its own headers as text.
    pub key: Option<Vec<u8>>,
    pub payload: Vec<u8>,
    pub headers: Vec<(String, String)>,
    /// The size in bytes of a message that was too large for its letter: all but the place where it lies is missing then.
    pub left_out: Option<i64>,
    /// What it says of itself, where it is an event.
    pub event: Option<EventParts>,
}

/// What an operator looks for.
#[derive(Debug, Clone)]
pub struct EventParts {
    pub id: Uuid,
    pub kind: String,
    pub subject: String,
}

impl Letter {
    /// `now` where the letter does not say when it was set aside.
    pub(super) fn read(message: &BorrowedMessage<'_>, prefix: &str, now: DateTime<Utc>) -> Self {
        let (ours, headers) = headers(message);
        let told = |name: &str| ours.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let number = |name: &str| told(name).and_then(|value| value.parse::<i64>().ok());
        let queue = message.topic().strip_prefix(prefix).unwrap_or(message.topic());
        let topic = queue.strip_prefix(TOPIC_PREFIX).unwrap_or(queue);
        let payload = message.payload().unwrap_or_default().to_vec();
        Self {
            topic: topic.to_owned(),
            partition: number("dlq-partition").and_then(|number| number.try_into().ok()).unwrap_or(-1),
            offset: number("dlq-offset").unwrap_or(-1),
            group: shortened(told("dlq-group").unwrap_or_default()),
            error: told("dlq-error").unwrap_or_default().to_owned(),
            causes: told("dlq-causes").unwrap_or_default().lines().map(str::to_owned).collect(),
            attempts: number("dlq-attempts").and_then(|number| number.try_into().ok()).unwrap_or_default(),
            set_aside_at: told("dlq-time").and_then(moment).unwrap_or(now),
            left_out: number("dlq-left-out"),
            key: message.key().map(<[u8]>::to_vec),
            event: serde_json::from_slice::<Event>(&payload).ok().map(|event| EventParts {
                id: event.id,
                kind: shortened(&printable(&event.kind)),
                subject: shortened(&printable(&event.subject)),
            }),
            payload,
            headers,
        }
    }

    /// The same for the same message of the same group, however often it was set aside: a consumer that dies before it
    /// has stored its offset sets a message aside again.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [self.topic.as_bytes(), self.group.as_bytes()] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.update(self.partition.to_be_bytes());
        hash.update(self.offset.to_be_bytes());
        hash.update(&self.payload);
        hash.finalize().into()
    }
}

type Texts = Vec<(String, String)>;

/// Ours, and those that the message had.
fn headers(message: &BorrowedMessage<'_>) -> (Texts, Texts) {
    let all = message.headers().map(Headers::iter).into_iter().flatten();
    let all = all.map(|header| {
        let value = header.value.unwrap_or_default();
        let value = value.get(..LONGEST_HEADER).unwrap_or(value);
        (printable(header.key), printable(&String::from_utf8_lossy(value)))
    });
    all.partition(|(key, _)| key.starts_with(PREFIX))
}

/// Names of ours are shorter, and an index takes no long ones.
fn shortened(text: &str) -> String {
    text.chars().take(LONGEST_NAME).collect()
}

/// Of a time that can be ours, and that Postgres can keep.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let time: DateTime<Utc> = text.parse().ok()?;
    (1970..3000).contains(&time.year()).then_some(time)
}

/// Postgres keeps no U+0000.
fn printable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
