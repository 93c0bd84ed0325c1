//! The whole service on a real Kafka: what it publishes, and what it makes of the events of others.

use std::sync::Arc;

use chrono::TimeDelta;
use common_auth::Role;
use common_db::PgPool;
use common_events::{
    Actor, EventContext, KafkaConfig, NewEvent,
    contracts::{Amount, EventData, TransactionCompleted, TransactionSnapshot, UserSnapshot, UserUpdated},
    outbox,
    testing::kafka,
};
use common_utils::{
    clock::{Clock, SharedClock, SystemClock},
    ids,
    money::Currency,
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{self, World, eventually};

/// An instance of the service that runs until it is stopped.
pub(crate) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    pub(crate) async fn start(world: &World, clock: SharedClock, kafka: &KafkaConfig) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let app = world.app(clock, kafka.clone());
        Self { task: tokio::spawn(app.run(listener, shutdown.clone())), shutdown }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Publishes as another service does: through an outbox, here that of this service's database.
pub(crate) async fn publish<T: EventData>(pool: &PgPool, events: &[T]) {
    let context = EventContext::new("transaction-service", Actor::user(ids::new_id()), SystemClock.now());
    let events: Vec<NewEvent> = events.iter().map(|event| NewEvent::new(&context, event).unwrap()).collect();
    let mut op = common_db::begin(pool).await.unwrap();
    outbox::publish_in_op(&mut op, &events).await.unwrap();
    op.commit().await.unwrap();
}

pub(crate) fn transaction(id: Uuid) -> TransactionCompleted {
    let amount = Amount { amount: 150_000, currency: Currency::NGN };
    TransactionCompleted(TransactionSnapshot {
        transaction_id: id,
        kind: "transfer".to_owned(),
        status: "completed".to_owned(),
        amount,
        fee: Amount { amount: 0, ..amount },
        from_wallet_id: Some(ids::new_id()),
        to_wallet_id: Some(ids::new_id()),
        from_user_id: Some(ids::new_id()),
        to_user_id: Some(ids::new_id()),
        narration: Some("for the school fees".to_owned()),
        reference: "TRF-1".to_owned(),
        failure: None,
        created_at: SystemClock.now(),
        completed_at: Some(SystemClock.now()),
    })
}

pub(crate) fn support(id: Uuid) -> UserUpdated {
    UserUpdated(UserSnapshot {
        user_id: id,
        email: "ada@example.com".to_owned(),
        phone_number: "+2348030000001".to_owned(),
        email_verified: Some(true),
        phone_verified: None,
        first_name: "Ada".to_owned(),
        last_name: "Obi".to_owned(),
        kyc_tier: 0,
        roles: vec!["user".to_owned(), "support".to_owned()],
        status: "active".to_owned(),
        created_at: SystemClock.now(),
    })
}

pub(crate) async fn actions(world: &World, query: &str) -> Vec<Value> {
    let officer = world.person(Role::Compliance);
    let page = world.get(&officer, &format!("/api/v1/admin/audit-logs?limit=100&{query}")).await.expect(200);
    page.body["items"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_anywhere_is_in_the_log_once() {
    let (world, kafka) = (World::new().await, kafka().await);
    // Two instances share the work.
    let clock: SharedClock = Arc::new(SystemClock);
    let one = Running::start(&world, Arc::clone(&clock), &kafka).await;
    let two = Running::start(&world, clock, &kafka).await;

    let (staff, colleague) = (world.person(Role::Support), world.person(Role::Support));
    let moved: Vec<Uuid> = (0..20).map(|_| ids::new_id()).collect();
    publish(&world.db.pool, &moved.iter().map(|id| transaction(*id)).collect::<Vec<_>>()).await;
    publish(&world.db.pool, &[support(colleague.id)]).await;
    let ticket = world.ticket(&staff, &staff).await;

    eventually("22 entries", async || (actions(&world, "").await.len() >= 22).then_some(())).await;
    let about_one = actions(&world, &format!("subject=transaction:{}", moved[0])).await;
    assert_eq!(about_one.len(), 1);
    assert_eq!(about_one[0]["action"], "transaction.completed");
    assert_eq!(about_one[0]["details"]["amount"], json!({ "amount": 150_000, "currency": "NGN" }));
    assert!(!about_one[0].to_string().contains("school"));
    let opened = actions(&world, &format!("subject=ticket:{ticket}&actor=staff:{}", staff.id)).await;
    assert_eq!(opened[0]["action"], "admin.ticket.created");
    let body = json!({ "assigneeId": colleague.id });
    world.post(&staff, &format!("/api/v1/admin/tickets/{ticket}/assign"), body).await.expect(200);

    eventually("the assignment", async || (actions(&world, "").await.len() == 23).then_some(())).await;
    let officer = world.person(Role::Compliance);
    let whole = world.get(&officer, "/api/v1/admin/audit-logs/verify").await.expect(200);
    assert_eq!(whole.body, json!({ "ok": true, "entries": 23 }));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_resolved_long_ago_is_closed_and_final() {
    let (world, kafka) = (World::new().await, kafka().await);
    let staff = world.person(Role::Support);
    let (resolved, open) = (world.ticket(&staff, &staff).await, world.ticket(&staff, &staff).await);
    let path = format!("/api/v1/admin/tickets/{resolved}");
    let body = json!({ "resolution": "Done." });
    world.post(&staff, &format!("{path}/resolve"), body.clone()).await.expect(200);

    let early = Running::start(&world, world::ahead(TimeDelta::days(13)), &kafka).await;
    eventually("what happened so far", async || (actions(&world, "").await.len() == 3).then_some(())).await;
    assert_eq!(world.get(&staff, &path).await.body["status"], "resolved", "not yet");
    early.stop().await;

    let late = Running::start(&world, world::ahead(TimeDelta::days(15)), &kafka).await;
    let closed = eventually("the entry of its closing", async || {
        actions(&world, "action=admin.ticket.closed").await.pop()
    });
    let entry = closed.await;
    assert_eq!(entry["subject"], json!({ "type": "ticket", "id": resolved }));
    assert_eq!(entry["actor"], json!({ "type": "service", "id": "admin-service" }));
    late.stop().await;

    assert_eq!(world.get(&staff, &path).await.body["status"], "closed");
    assert_eq!(world.get(&staff, &format!("/api/v1/admin/tickets/{open}")).await.body["status"], "open");
    for (step, body) in [
        ("resolve", body),
        ("assign", json!({ "assigneeId": staff.id })),
        ("comments", json!({ "body": "b" })),
    ] {
        let answer = world.post(&staff, &format!("{path}/{step}"), body).await;
        assert_eq!(answer.refusal(), (409, "ticket_closed", vec![]), "{step}");
    }
}
