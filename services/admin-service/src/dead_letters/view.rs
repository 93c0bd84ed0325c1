//! Dead letters as clients see them.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use common_events::dlq::Replay;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{DeadLetter, Status};

/// A message that a consumer could not handle.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetter)]
pub(super) struct DeadLetterView {
    id: Uuid,
    status: Status,
    /// The topic that it was taken from, and where it was there.
    #[schema(example = "wallet-events")]
    topic: String,
    partition: i32,
    offset: i64,
    /// Who could not handle it.
    #[schema(example = "transaction-service")]
    group: String,
    error: String,
    /// What was behind the error, the outermost first.
    causes: Vec<String>,
    /// Zero where it could not be tried at all.
    attempts: i32,
    set_aside_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    /// What the message says of itself, where it is an event.
    event_id: Option<Uuid>,
    event_type: Option<String>,
    event_subject: Option<String>,
    /// Of the payload, in bytes.
    size: i32,
    /// The size of a message that was too large for its letter, and is not in it. Such a letter cannot be put back.
    left_out: Option<i64>,
    decided_by: Option<Uuid>,
    decided_at: Option<DateTime<Utc>>,
    /// Why it was discarded.
    reason: Option<String>,
    replayed_at: Option<DateTime<Utc>>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        Self {
            id: letter.id,
            status: letter.status,
            topic: letter.topic,
            partition: letter.partition,
            offset: letter.offset,
            group: letter.group,
            error: letter.error,
            causes: letter.causes,
            attempts: letter.attempts,
            set_aside_at: letter.set_aside_at,
            received_at: letter.received_at,
            event_id: letter.event_id,
            event_type: letter.event_type,
            event_subject: letter.event_subject,
            size: letter.payload_bytes,
            left_out: letter.left_out,
            decided_by: letter.decided_by.map(Into::into),
            decided_at: letter.decided_at,
            reason: letter.reason,
            replayed_at: letter.replayed_at,
        }
    }
}

/// A header of the message.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetterHeader)]
pub(super) struct HeaderView {
    name: String,
    value: String,
}

/// A dead letter with its message as it came.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeadLetterMessage)]
pub(super) struct MessageView {
    #[serde(flatten)]
    letter: DeadLetterView,
    /// In Base64; null where it has none.
    #[schema(content_encoding = "base64")]
    key: Option<String>,
    headers: Vec<HeaderView>,
    /// The payload, where it is text in UTF-8.
    payload: Option<String>,
    /// The payload in Base64, where it is not.
    #[schema(content_encoding = "base64")]
    payload_base64: Option<String>,
}

impl MessageView {
    pub(super) fn new(letter: DeadLetter, message: Replay) -> Self {
        let (payload, payload_base64) = match String::from_utf8(message.payload) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.into_bytes()))),
        };
        let headers = message.headers.into_iter().map(|(name, value)| HeaderView { name, value });
        Self {
            letter: letter.into(),
            key: message.key.map(|key| STANDARD.encode(key)),
            headers: headers.collect(),
            payload,
            payload_base64,
        }
    }
}
