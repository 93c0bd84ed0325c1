//! The outbox: events are rows of the business transaction, so they exist exactly when their cause does.

use common_db::Op;
use common_utils::ids;
use metrics::counter;
use uuid::Uuid;

use crate::{
    EventContext,
    config::{LARGE_MESSAGE_BYTES, MAX_MESSAGE_BYTES},
    contracts::EventData,
    envelope, wake,
};

/// An event that is about to be written.
#[derive(Debug)]
pub struct NewEvent {
    id: Uuid,
    topic: &'static str,
    key: String,
    kind: &'static str,
    payload: String,
    created_at: chrono::DateTime<chrono::Utc>,
}

#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error(
        "an event of type {kind} has {bytes} bytes, more than the {MAX_MESSAGE_BYTES} that a message may have"
    )]
    TooLarge { kind: &'static str, bytes: usize },
    #[error("an event cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl NewEvent {
    pub fn new<T: EventData>(context: &EventContext, data: &T) -> Result<Self, OutboxError> {
        let id = ids::new_id();
        let payload = envelope::write(id, context, data)?;
        let bytes = payload.len();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(OutboxError::TooLarge { kind: T::TYPE, bytes });
        }
        if bytes > LARGE_MESSAGE_BYTES {
            tracing::warn!(kind = T::TYPE, bytes, "an unusually large event");
            counter!(
                "wallet_outbox_large_events_total",
                "service" => context.service_label(), "type" => T::TYPE
            )
            .increment(1);
        }
        let created_at = context.now;
        Ok(Self { id, topic: T::TOPIC.name(), key: data.key(), kind: T::TYPE, payload, created_at })
    }
}

/// More events than this are several rows.
pub const MOST_IN_A_ROW: usize = 4_000;

/// Writes the events; those of a topic are published in this order. It is one statement for each topic, unless they are
/// very many.
pub async fn publish_in_op(op: &mut Op, events: &[NewEvent]) -> Result<(), OutboxError> {
    for row in Row::all(events) {
        row.insert_in_op(op).await?;
    }
    soon(events);
    Ok(())
}

/// For a statement that writes them itself, by `outbox_add`: tells the relay that they will be there in a moment.
pub fn soon<'a>(events: impl IntoIterator<Item = &'a NewEvent>) {
    if events.into_iter().next().is_some() {
        wake::soon();
    }
}

/// Events of one topic, column by column, as one row holds them.
#[derive(Debug, Default)]
pub struct Row<'a> {
    pub topic: &'static str,
    pub ids: Vec<Uuid>,
    pub keys: Vec<&'a str>,
    pub types: Vec<&'a str>,
    pub payloads: Vec<&'a str>,
    pub created_at: chrono::DateTime<chrono::Utc>,
}

impl<'a> Row<'a> {
    /// One row for all of these, which are of one topic and not very many.
    pub fn of(events: impl IntoIterator<Item = &'a NewEvent>) -> Self {
        let mut row = Self::default();
        for event in events {
            debug_assert!(row.ids.is_empty() || row.topic == event.topic);
            if row.ids.is_empty() {
                (row.topic, row.created_at) = (event.topic, event.created_at);
            }
            row.push(event);
        }
        row
    }

    /// The rows of these events. An empty list has none.
    pub fn all(events: &'a [NewEvent]) -> Vec<Self> {
        let mut rows: Vec<Self> = Vec::new();
        for event in events {
            let fits = |row: &&mut Self| row.topic == event.topic && row.ids.len() < MOST_IN_A_ROW;
            if let Some(row) = rows.iter_mut().rev().find(fits) {
                row.push(event);
            } else {
                let mut row = Self { topic: event.topic, created_at: event.created_at, ..Self::default() };
                row.push(event);
                rows.push(row);
            }
        }
        rows
    }

    fn push(&mut self, event: &'a NewEvent) {
        self.ids.push(event.id);
        self.keys.push(&event.key);
        self.types.push(event.kind);
        self.payloads.push(&event.payload);
        self.created_at = self.created_at.min(event.created_at);
    }

    pub async fn insert_in_op(&self, op: &mut Op) -> sqlx::Result<()> {
        sqlx::query!(
            "SELECT outbox_add($1, $2, $3, $4, $5, $6)",
            self.topic,
            &self.ids,
            &self.keys as &[&str],
            &self.types as &[&str],
            &self.payloads as &[&str],
            self.created_at,
        )
        .execute(&mut **op)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::{Actor, Topic};

    #[derive(serde::Serialize)]
    struct Large(String);

    impl EventData for Large {
        const TYPE: &'static str = "wallet.large";
        const VERSION: u16 = 1;
        const TOPIC: Topic = Topic::Wallet;
        const AGGREGATE: &'static str = "wallet";
        const KEY_FIELD: &'static str = "wallet_id";

        fn key(&self) -> String {
            "key".to_owned()
        }

        fn subject(&self) -> String {
            "wallet/key".to_owned()
        }
    }

    #[test]
    fn large_events_are_counted_for_their_service() {
        let context =
            EventContext::new("wallet-service", Actor::service("wallet-service"), DateTime::UNIX_EPOCH);
        let event = |bytes| NewEvent::new(&context, &Large("x".repeat(bytes))).map(|event| event.kind);
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = metrics::with_local_recorder(&recorder, || {
            assert!(event(1).is_ok() && event(LARGE_MESSAGE_BYTES).is_ok());
            assert!(matches!(event(MAX_MESSAGE_BYTES), Err(OutboxError::TooLarge { .. })));
            recorder.handle().render()
        });
        let line = r#"wallet_outbox_large_events_total{service="wallet",type="wallet.large"} 1"#;
        assert!(page.contains(line), "{page}");
    }
}
