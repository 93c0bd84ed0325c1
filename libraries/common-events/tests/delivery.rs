//! From the outbox to the effect, on a real Postgres and a real Kafka, and again on the embedded broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use common_db::{Op, PgPool, migrate::Migrations, testing::TestDb};
use common_events::{
    Actor, Consumer, Event, EventContext, EventHandler, HandlerError, KafkaConfig, NewEvent, Topic,
    contracts::{UserRegistered, UserSnapshot},
    dedup::{self, Dedup},
    embedded_broker::EmbeddedBroker,
    outbox,
    relay::Relay,
    testing::{kafka, no_kafka, no_redis, redis},
    workers::Workers,
};
use common_utils::{
    clock::{Clock, SystemClock},
    config::RedisConfig,
    ids,
};
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer as _, StreamConsumer},
    message::Headers,
    producer::{FutureProducer, FutureRecord},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Writes down each name it sees; cannot stand the names "poison" and "panic".
struct Names;

#[async_trait]
impl EventHandler for Names {
    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        let Some(data) = event.data::<UserRegistered>() else { return Ok(()) };
        let user = data?.0;
        if user.first_name == "poison" {
            return Err(HandlerError::Failed(anyhow::anyhow!("cannot stand it")));
        }
        assert_ne!(user.first_name, "panic", "cannot stand it either");
        sqlx::query("INSERT INTO names (user_id, name) VALUES ($1, $2)")
            .bind(user.user_id)
            .bind(user.first_name)
            .execute(&mut **op)
            .await?;
        Ok(())
    }
}

struct World {
    db: TestDb,
    kafka: KafkaConfig,
    shutdown: CancellationToken,
    workers: Workers,
}

impl World {
    async fn new(kafka: KafkaConfig) -> Self {
        let db = TestDb::create("common", &Migrations::common()).await;
        sqlx::raw_sql("CREATE TABLE names (place bigserial, user_id uuid, name text)")
            .execute(&db.pool)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        Self { db, kafka, workers: Workers::new(&shutdown), shutdown }
    }

    fn relay(&self) {
        self.workers.relay(Relay {
            service: "test",
            pool: self.db.pool.clone(),
            database: self.db.config.clone(),
            kafka: self.kafka.clone(),
        });
    }

    fn consumer(&self, redis: &RedisConfig) {
        self.workers.consumer(Consumer {
            service: "test",
            group: "names",
            topics: vec![Topic::User],
            pool: self.db.pool.clone(),
            kafka: self.kafka.clone(),
            redis: dedup::connect(redis).unwrap(),
            clock: SystemClock::shared(),
            handler: Arc::new(Names),
        });
    }

    async fn register(&self, user_id: Uuid, names: &[&str]) {
        let now = SystemClock.now();
        let context = EventContext::new("test", Actor::service("test"), now);
        let events: Vec<NewEvent> = names
            .iter()
            .map(|name| {
                let user = UserSnapshot {
                    user_id,
                    email: "ada@example.com".to_owned(),
                    phone_number: "+2348030000001".to_owned(),
                    first_name: (*name).to_owned(),
                    last_name: "Obi".to_owned(),
                    kyc_tier: 0,
                    roles: vec!["user".to_owned()],
                    status: "active".to_owned(),
                    created_at: now,
                };
                NewEvent::new(&context, &UserRegistered(user)).unwrap()
            })
            .collect();
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        outbox::publish_in_op(&mut op, &events).await.unwrap();
        op.commit().await.unwrap();
    }

    async fn names_of(&self, user_id: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT name FROM names WHERE user_id = $1 ORDER BY place")
            .bind(user_id)
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    async fn unpublished(&self) -> i64 {
        count(&self.db.pool, "SELECT count(*) FROM outbox WHERE published_at IS NULL").await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.workers.drained().await;
    }
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Asks until it is so; fails after a minute.
async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let asked = tokio::time::timeout(Duration::from_mins(1), async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(asked.await.is_ok(), "never came: {what}");
}

fn embedded(broker: &EmbeddedBroker) -> KafkaConfig {
    KafkaConfig { brokers: broker.brokers(), embedded: true, ..no_kafka() }
}

async fn takes_effect_once_and_in_order(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let (ada, bola) = (ids::new_id(), ids::new_id());
    let names: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.register(ada, &names).await;
    world.register(bola, &["b"]).await;
    until("all events", async || world.names_of(ada).await.len() == 200).await;
    assert_eq!(world.names_of(ada).await, names);

    // As if the relay had died between publishing and marking.
    let again = "UPDATE outbox_batches SET published_at = NULL";
    sqlx::query(again).execute(&world.db.pool).await.unwrap();
    world.register(bola, &["c"]).await;
    until("the event behind the repeated ones", async || world.names_of(bola).await == ["b", "c"]).await;
    assert_eq!(world.names_of(ada).await.len(), 200);
    until("all marked", async || world.unpublished().await == 0).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_takes_effect_once_and_in_order() {
    takes_effect_once_and_in_order(kafka().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_does_the_same() {
    let broker = EmbeddedBroker::start().unwrap();
    takes_effect_once_and_in_order(embedded(&broker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_the_embedded_broker_loses_no_effect() {
    let broker = EmbeddedBroker::start().unwrap();
    let mut world = World::new(embedded(&broker)).await;
    let user = ids::new_id();
    world.relay();
    world.register(user, &["published, never consumed"]).await;
    until("published", async || world.unpublished().await == 0).await;
    world.shutdown.cancel();
    drop(broker);

    let broker = EmbeddedBroker::start().unwrap();
    world.kafka = embedded(&broker);
    world.shutdown = CancellationToken::new();
    world.workers = Workers::new(&world.shutdown);
    world.relay();
    world.consumer(&redis());
    until("offered again", async || world.names_of(user).await.len() == 1).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_the_inbox_decides() {
    let world = World::new(kafka().await).await;
    world.relay();
    world.consumer(&no_redis());
    let user = ids::new_id();
    world.register(user, &["a"]).await;
    until("the effect", async || world.names_of(user).await.len() == 1).await;
    sqlx::query("UPDATE outbox_batches SET published_at = NULL").execute(&world.db.pool).await.unwrap();
    world.register(user, &["b"]).await;
    until("the next effect", async || world.names_of(user).await == ["a", "b"]).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_in_redis_without_an_effect_decides_nothing() {
    let world = World::new(kafka().await).await;
    let user = ids::new_id();
    world.register(user, &["marked by somebody"]).await;
    let event: Uuid =
        sqlx::query_scalar("SELECT event_id FROM outbox").fetch_one(&world.db.pool).await.unwrap();
    // As if the database were restored from a copy, or the marks were those of another one.
    Dedup::new(dedup::connect(&redis()).unwrap(), &world.kafka.prefixed("names")).mark(event).await;
    world.relay();
    world.consumer(&redis());
    until("the effect", async || world.names_of(user).await.len() == 1).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_set_aside_and_the_rest_gets_through() {
    let kafka = kafka().await;
    let world = World::new(kafka.clone()).await;
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    let topic = kafka.prefixed("user-events");
    let garbage = FutureRecord::to(&topic).key("k").payload("{garbage");
    producer.send(garbage, Duration::from_secs(20)).await.unwrap();
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    world.register(user, &["poison", "good"]).await;
    until("the good one", async || world.names_of(user).await == ["good"]).await;

    // They come from two partitions, so either may be first.
    let mut letters = dead_letters(&kafka, 2).await;
    letters.sort_by_key(|(bytes, _)| bytes.len());
    let (bytes, error) = &letters[0];
    assert_eq!(bytes, b"{garbage");
    assert!(error.starts_with("not an event"), "{error}");
    let (bytes, error) = &letters[1];
    assert_eq!(error, "cannot stand it");
    let event: Event = serde_json::from_slice(bytes).expect("the original event");
    assert_eq!(event.kind, "identity.user.registered");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_stops_no_consumer() {
    let broker = EmbeddedBroker::start().unwrap();
    let world = World::new(embedded(&broker)).await;
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    world.register(user, &["panic", "good"]).await;
    until("the good one", async || world.names_of(user).await == ["good"]).await;
    world.stop().await;
}

/// The first dead letters of `user-events`: original bytes and error.
async fn dead_letters(kafka: &KafkaConfig, how_many: usize) -> Vec<(Vec<u8>, String)> {
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
        let headers = message.headers().unwrap();
        let error = headers.iter().find(|header| header.key == "dlq-error").unwrap().value.unwrap();
        let error = String::from_utf8(error.to_vec()).unwrap();
        found.push((message.payload().unwrap().to_vec(), error));
    }
    found
}
