//! Events on their way into the queue: for each that somebody wants, its body as it will be sent, and a delivery for each
//! endpoint. A consumer group of its own, so the audit log does not wait for webhooks, nor they for it.

use std::{collections::HashSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_events::{Event, EventHandler, HandlerError};
use common_utils::clock::SharedClock;
use serde::Serialize;
use tokio::sync::Notify;
use uuid::Uuid;

use super::{
    repo::{
        endpoints,
        queue::{self, NewMessage},
    },
    subscription::{TEST_TYPE, is_published, receivers},
};

/// The body of a webhook: what the standard asks for, and what helps to find one's way.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a, D> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: DateTime<Utc>,
    data: &'a D,
    /// Of the type: the number of its schema.
    version: u16,
    subject: &'a str,
    correlation_id: &'a str,
}

/// What a test call sends.
pub(super) fn test_payload(
    endpoint: Uuid,
    now: DateTime<Utc>,
    correlation_id: &str,
) -> serde_json::Result<String> {
    serde_json::to_string(&Body {
        kind: TEST_TYPE,
        timestamp: now,
        data: &serde_json::json!({ "endpointId": endpoint }),
        version: 1,
        subject: &format!("webhook_endpoint/{endpoint}"),
        correlation_id,
    })
}

fn payload(event: &Event) -> serde_json::Result<String> {
    serde_json::to_string(&Body {
        kind: &event.kind,
        timestamp: event.time,
        data: &event.data,
        version: event.version(),
        subject: &event.subject,
        correlation_id: &event.correlationid,
    })
}

/// What webhooks make of the events of all topics.
#[derive(Debug)]
pub struct WebhookEvents {
    pool: PgPool,
    clock: SharedClock,
    wake: Arc<Notify>,
}

impl WebhookEvents {
    /// `wake` says to the sender of this process that something is due.
    pub fn new(pool: PgPool, clock: SharedClock, wake: Arc<Notify>) -> Self {
        Self { pool, clock, wake }
    }
}

#[async_trait]
impl EventHandler for WebhookEvents {
    fn takes(&self, event: &Event) -> bool {
        is_published(event)
    }

    /// Asked of the database, and not of memory: an endpoint that was made a moment ago, maybe by another instance, misses
    /// nothing.
    async fn unwanted(&self, events: &[&Event]) -> Result<HashSet<Uuid>, HandlerError> {
        let subscriptions = endpoints::subscriptions(&self.pool).await?;
        let unwanted = events.iter().filter(|event| receivers(&subscriptions, event).is_empty());
        Ok(unwanted.map(|event| event.id).collect())
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let subscriptions = endpoints::subscriptions(&mut **op).await?;
        let mut messages = Vec::new();
        for event in events {
            let receivers: Vec<Uuid> = receivers(&subscriptions, event).into_iter().collect();
            if !receivers.is_empty() {
                messages.push(NewMessage {
                    id: event.id,
                    event_type: event.kind.clone(),
                    occurred_at: event.time,
                    payload: payload(event)?,
                    receivers,
                });
            }
        }
        if !messages.is_empty() {
            queue::insert_in_op(op, &messages, self.clock.now()).await?;
        }
        Ok(())
    }

    async fn committed(&self, _event: &Event) {
        self.wake.notify_one();
    }
}
