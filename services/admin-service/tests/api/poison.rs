//! A poisoned message in front of a thousand good ones, to its end: set aside by a consumer, collected here, put back by an admin
//! when the consumer is mended.

use std::time::Duration;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use common_auth::Role;
use common_db::{Op, PgPool, migrate::Migrations, testing::TestDb};
use common_events::{
    Actor, Consumer, Event, EventContext, EventHandler, HandlerError, KafkaConfig, NewEvent, Topic,
    contracts::{UserSnapshot, UserUpdated},
    dedup,
    dlq::{Replay, Replayed, Replayer},
    outbox,
    relay::Relay,
    testing::{kafka, redis},
    workers::Workers,
};
use common_utils::{
    clock::{Clock, SystemClock},
    ids,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    events::{Running, actions},
    world::{World, eventually},
};

const LETTERS: &str = "/api/v1/admin/dead-letters";
const GROUP: &str = "greeters";

/// Greets whoever changed their name, and has a defect.
#[derive(Default)]
struct Greeters {
    mended: AtomicBool,
}

#[async_trait]
impl EventHandler for Greeters {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserUpdated>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        let Some(data) = event.data::<UserUpdated>() else { return Ok(()) };
        let name = data?.0.first_name;
        if name == "O'Neill" && !self.mended.load(Ordering::SeqCst) {
            return Err(HandlerError::Failed(anyhow::anyhow!("cannot stand an apostrophe")));
        }
        sqlx::query("INSERT INTO greeted (name) VALUES ($1)").bind(name).execute(&mut **op).await?;
        Ok(())
    }
}

/// A service with a database, an outbox and a consumer of its own.
struct Neighbour {
    db: TestDb,
    handler: Arc<Greeters>,
    workers: Workers,
}

impl Neighbour {
    async fn start(kafka: &KafkaConfig) -> Self {
        let db = TestDb::create("common", &Migrations::common()).await;
        let table = "CREATE TABLE greeted (place bigserial, name text)";
        sqlx::raw_sql(table).execute(&db.pool).await.unwrap();
        let (handler, workers) = (Arc::new(Greeters::default()), Workers::new(&CancellationToken::new()));
        workers.relay(Relay {
            service: "test",
            pool: db.pool.clone(),
            database: db.config.clone(),
            kafka: kafka.clone(),
        });
        workers.consumer(Consumer {
            service: "test",
            group: GROUP,
            topics: vec![Topic::User],
            pool: db.pool.clone(),
            kafka: kafka.clone(),
            redis: dedup::connect(&redis()).unwrap(),
            clock: SystemClock::shared(),
            handler: Arc::clone(&handler) as Arc<dyn EventHandler>,
        });
        Self { db, handler, workers }
    }

    async fn rename(&self, user_id: Uuid, names: &[String]) {
        let now = SystemClock.now();
        let context = EventContext::new("identity-service", Actor::user(user_id), now);
        let event = |name: &String| {
            let snapshot = UserSnapshot {
                user_id,
                email: "ada@example.com".to_owned(),
                phone_number: "+2348030000001".to_owned(),
                email_verified: Some(true),
                phone_verified: None,
                first_name: name.clone(),
                last_name: "Obi".to_owned(),
                kyc_tier: 0,
                roles: vec!["user".to_owned()],
                status: "active".to_owned(),
                created_at: now,
            };
            NewEvent::new(&context, &UserUpdated(snapshot)).unwrap()
        };
        let events: Vec<NewEvent> = names.iter().map(event).collect();
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        outbox::publish_in_op(&mut op, &events).await.unwrap();
        op.commit().await.unwrap();
    }

    async fn greeted(&self) -> Vec<String> {
        let query = sqlx::query_scalar("SELECT name FROM greeted ORDER BY place");
        query.fetch_all(&self.db.pool).await.unwrap()
    }

    async fn greets(&self, names: &[String]) {
        eventually("all names, once", async || (self.greeted().await == names).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_in_front_of_a_thousand_is_put_back_when_its_consumer_is_mended_and_takes_effect_once() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let neighbour = Neighbour::start(&kafka).await;
    let admin = world.person(Role::Admin);
    // Of one person, so that all lie in one partition.
    let user = ids::new_id();
    let poison = "O'Neill".to_owned();
    let mut names: Vec<String> = (0..1000).map(|number| format!("Ada {number}")).collect();
    neighbour.rename(user, &[std::slice::from_ref(&poison), &names].concat()).await;

    neighbour.greets(&names).await;
    let letter = eventually("its letter", async || {
        let page = world.get(&admin, &format!("{LETTERS}?status=open&limit=100")).await.expect(200);
        let open = page.body["items"].as_array().unwrap().clone();
        assert!(open.len() <= 1, "{open:?}");
        open.into_iter().next()
    })
    .await;
    let told = ["topic", "group", "error", "attempts", "eventType"].map(|name| letter[name].clone());
    assert_eq!(
        told,
        [
            json!("user-events"),
            json!(GROUP),
            json!("cannot stand an apostrophe"),
            json!(5),
            json!("identity.user.updated")
        ]
    );

    neighbour.handler.mended.store(true, Ordering::SeqCst);
    let path = format!("{LETTERS}/{}", letter["id"].as_str().unwrap());
    world.post(&admin, &format!("{path}/replay"), json!({})).await.expect(202);
    names.push(poison);
    neighbour.greets(&names).await;
    let whole = eventually("its end", async || {
        let whole = world.get(&admin, &path).await.expect(200).body;
        (whole["status"] == "replayed").then_some(whole)
    })
    .await;

    // Once more by the same call, and once more past it.
    world.post(&admin, &format!("{path}/replay"), json!({})).await.expect(202);
    put_back(&kafka, &whole).await;
    let behind = "Bola".to_owned();
    neighbour.rename(user, std::slice::from_ref(&behind)).await;
    names.push(behind);
    neighbour.greets(&names).await;

    // Each event is in the audit log once, also the one that came three times; and so is what the admin did.
    let entries = eventually("the last entry", async || {
        let found = entries_of(&world.db.pool, user).await;
        (found >= 1002).then_some(found)
    });
    assert_eq!(entries.await, 1002);
    assert_eq!(actions(&world, "action=admin.dead_letter.replayed").await.len(), 1);
    neighbour.workers.drained().await;
    service.stop().await;
}

async fn put_back(kafka: &KafkaConfig, letter: &Value) {
    let event: Value = serde_json::from_str(letter["payload"].as_str().unwrap()).unwrap();
    let replay = Replay {
        topic: letter["topic"].as_str().unwrap().to_owned(),
        key: Some(event["data"]["userId"].as_str().unwrap().as_bytes().to_vec()),
        payload: letter["payload"].as_str().unwrap().as_bytes().to_vec(),
        headers: Vec::new(),
    };
    let results = Replayer::new(kafka).unwrap().publish(&[replay], Duration::from_secs(20)).await;
    assert!(matches!(results[..], [Replayed::Taken]), "{results:?}");
}

async fn entries_of(pool: &PgPool, user: Uuid) -> i64 {
    let query =
        "SELECT count(*) FROM audit_entries WHERE subject_id = $1 AND action = 'identity.user.updated'";
    sqlx::query_scalar(query).bind(user.to_string()).fetch_one(pool).await.unwrap()
}
