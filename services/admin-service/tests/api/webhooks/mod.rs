//! Webhooks: registered by staff, sent to integrators, sent again until they arrive.

mod documented;
mod endpoints;
mod failures;
mod kafka;
mod log;
mod receiver;
mod safety;
mod sending;

use std::sync::Arc;

use admin_service::WebhookEvents;
use chrono::{DateTime, Utc};
use common_events::{Event, EventHandler, testing::no_kafka};
use common_utils::clock::{Clock, ManualClock, SharedClock, SystemClock};
use serde_json::{Value, json};

pub(crate) use self::receiver::{Receiver, Reply, Request};
use crate::{
    events::Running,
    world::{Answer, Caller, World, event, eventually},
};
use common_auth::Role;

pub(crate) const ENDPOINTS: &str = "/api/v1/admin/webhook-endpoints";

/// A world with an admin, an integrator, and a clock that its workers go by.
pub(crate) struct Hooks {
    pub(crate) world: World,
    pub(crate) admin: Caller,
    pub(crate) receiver: Receiver,
    pub(crate) clock: Arc<ManualClock>,
}

/// An endpoint, as its integrator knows it.
pub(crate) struct Endpoint {
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Hooks {
    pub(crate) async fn new() -> Self {
        let world = World::new().await;
        let admin = world.person(Role::Admin);
        Self { admin, receiver: Receiver::start().await, clock: ManualClock::new(SystemClock.now()), world }
    }

    pub(crate) async fn endpoint(&self, event_types: &[&str]) -> Endpoint {
        self.endpoint_at(&self.receiver.url(), event_types).await
    }

    pub(crate) async fn endpoint_at(&self, url: &str, event_types: &[&str]) -> Endpoint {
        let body = json!({ "url": url, "eventTypes": event_types });
        let answer = self.world.post(&self.admin, ENDPOINTS, body).await.expect(201);
        let secret = answer.body["secret"].as_str().unwrap().to_owned();
        Endpoint { path: format!("{ENDPOINTS}/{}", answer.id()), id: answer.id(), secret }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.world.post(&self.admin, path, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.world.get(&self.admin, path).await.expect(200).body
    }

    /// The worker, without Kafka.
    pub(crate) async fn sending(&self) -> Running {
        let clock: SharedClock = Arc::<ManualClock>::clone(&self.clock);
        Running::start(&self.world, clock, &no_kafka()).await
    }

    /// An event that happens now, taken in as the consumer does.
    pub(crate) async fn happens(&self, kind: &str) -> Event {
        let event = event(kind, "wallet/w-1", "service:test", &json!({ "walletId": "w-1" }));
        self.take_in(&[&event]).await;
        event
    }

    pub(crate) async fn happened(&self, kind: &str, at: DateTime<Utc>) -> Event {
        let mut event = event(kind, "wallet/w-1", "service:test", &json!({ "walletId": "w-1" }));
        event.time = at;
        self.take_in(&[&event]).await;
        event
    }

    pub(crate) async fn take_in(&self, events: &[&Event]) {
        let clock: SharedClock = Arc::<ManualClock>::clone(&self.clock);
        let handler = WebhookEvents::new(self.world.db.pool.clone(), clock, Arc::default());
        let taken: Vec<&Event> = events.iter().filter(|event| handler.takes(event)).copied().collect();
        let unwanted = handler.unwanted(&taken).await.unwrap();
        let wanted: Vec<&Event> = taken.into_iter().filter(|event| !unwanted.contains(&event.id)).collect();
        let mut op = common_db::begin(&self.world.db.pool).await.unwrap();
        handler.handle_all_in_op(&mut op, &wanted).await.unwrap();
        op.commit().await.unwrap();
    }

    pub(crate) async fn requests(&self, how_many: usize) -> Vec<Request> {
        eventually(&format!("{how_many} webhooks"), async || {
            let got = self.receiver.got();
            (got.len() >= how_many).then_some(got)
        })
        .await
    }

    pub(crate) async fn deliveries(&self, endpoint: &Endpoint, query: &str) -> Vec<Value> {
        let page = self.get(&format!("{}/deliveries?limit=100&{query}", endpoint.path)).await;
        page["items"].as_array().unwrap().clone()
    }

    /// Waits until so many deliveries of the endpoint have the status.
    pub(crate) async fn until(&self, endpoint: &Endpoint, status: &str, how_many: usize) -> Vec<Value> {
        let query = format!("status={status}");
        eventually(&format!("{how_many} {status}"), async || {
            let found = self.deliveries(endpoint, &query).await;
            (found.len() == how_many).then_some(found)
        })
        .await
    }

    /// Waits until the only delivery has been tried so often; its details.
    pub(crate) async fn tried(&self, endpoint: &Endpoint, attempts: i64) -> Value {
        let id = eventually(&format!("{attempts} attempts"), async || {
            let found = self.deliveries(endpoint, "").await;
            assert_eq!(found.len(), 1);
            (found[0]["attempts"] == attempts).then(|| found[0]["id"].as_str().unwrap().to_owned())
        })
        .await;
        self.get(&format!("{}/deliveries/{id}", endpoint.path)).await
    }

    /// What this service has published, without the envelope of each: type and data.
    pub(crate) async fn published(&self) -> Vec<(String, Value)> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT type, payload FROM outbox WHERE type LIKE 'admin.webhook%' ORDER BY position",
        )
        .fetch_all(&self.world.db.pool)
        .await
        .unwrap();
        rows.into_iter().map(|(kind, payload)| (kind, serde_json::from_str(&payload).unwrap())).collect()
    }
}
