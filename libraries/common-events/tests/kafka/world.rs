//! A database with a business table, an outbox, an inbox and the effect of a handler, and the means to wait for what comes.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common_db::{DbConfig, Op, PgPool, migrate::Migrations, testing::TestDb};
use common_events::{
    Actor, Consumer, Event, EventContext, EventHandler, HandlerError, KafkaConfig, NewEvent, Topic,
    contracts::{UserRegistered, UserSnapshot},
    dedup,
    embedded_broker::EmbeddedBroker,
    outbox,
    relay::Relay,
    testing::no_kafka,
    workers::Workers,
};
use common_utils::{
    clock::{Clock, SystemClock},
    config::RedisConfig,
};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Writes down each name it sees. Cannot stand the names "poison", until that is mended, and "panic", and waits at "slow" until
/// the gate is open. Nobody wants "unwanted", and where "unknown" is among them it cannot tell.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) gate: Gate,
    mended: AtomicBool,
}

impl Names {
    pub(crate) fn mend(&self) {
        self.mended.store(true, Ordering::SeqCst);
    }
}

/// Where a handler waits.
#[derive(Default)]
pub(crate) struct Gate {
    open: Notify,
    waiting: AtomicUsize,
}

impl Gate {
    pub(crate) fn open(&self) {
        self.open.notify_one();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    async fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.open.notified().await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl EventHandler for Names {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserRegistered>()
    }

    async fn unwanted(&self, events: &[&Event]) -> Result<HashSet<Uuid>, HandlerError> {
        let named = |name: &'static str| {
            let is_named = move |event: &&&Event| matches!(event.data::<UserRegistered>(), Some(Ok(data)) if data.0.first_name == name);
            events.iter().filter(is_named)
        };
        if named("unknown").next().is_some() {
            return Err(HandlerError::Failed(anyhow::anyhow!("cannot tell")));
        }
        Ok(named("unwanted").map(|event| event.id).collect())
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        let Some(data) = event.data::<UserRegistered>() else { return Ok(()) };
        let user = data?.0;
        if user.first_name == "poison" && !self.mended.load(Ordering::SeqCst) {
            let behind = anyhow::anyhow!("it is poison");
            return Err(HandlerError::Failed(behind.context("cannot stand it")));
        }
        if user.first_name == "slow" {
            self.gate.wait().await;
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

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) kafka: KafkaConfig,
    pub(crate) shutdown: CancellationToken,
    pub(crate) workers: Workers,
    pub(crate) names: Arc<Names>,
}

impl World {
    pub(crate) async fn new(kafka: KafkaConfig) -> Self {
        let db = TestDb::create("common", &Migrations::common()).await;
        sqlx::raw_sql(TABLES).execute(&db.pool).await.unwrap();
        let shutdown = CancellationToken::new();
        Self { db, kafka, workers: Workers::new(&shutdown), shutdown, names: Arc::default() }
    }

    pub(crate) fn relay(&self) {
        self.relay_in(&self.workers);
    }

    /// Beside others, to be stopped by itself.
    pub(crate) fn relay_in(&self, workers: &Workers) {
        workers.relay(relay(&self.db.pool, &self.db.config, &self.kafka));
    }

    pub(crate) fn consumer(&self, redis: &RedisConfig) {
        self.consumer_in(&self.workers, redis);
    }

    /// A member of the group that is stopped by itself.
    pub(crate) fn consumer_in(&self, workers: &Workers, redis: &RedisConfig) {
        workers.consumer(consumer(&self.db.pool, &self.kafka, redis, &self.names));
    }

    pub(crate) async fn register(&self, user_id: Uuid, names: &[&str]) {
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        register_in_op(&mut op, user_id, names).await;
        op.commit().await.unwrap();
    }

    /// As if a relay had died between publishing and marking.
    pub(crate) async fn publish_again(&self) {
        let again = "UPDATE outbox_batches SET published_at = NULL WHERE published_at IS NOT NULL";
        sqlx::query(again).execute(&self.db.pool).await.unwrap();
    }

    /// It holds the lock for as long as it has the connection.
    pub(crate) async fn take_the_leaders_connection(&self) {
        let taken = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                     WHERE datname = current_database() AND application_name = 'relay'";
        until("the leader's connection", async || count(&self.db.pool, taken).await > 0).await;
    }

    /// A message past the outbox, as somebody else might write it.
    pub(crate) async fn send(&self, key: Option<&str>, payload: &[u8]) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.kafka.brokers)
            .set("message.max.bytes", "50000000")
            .set("compression.type", "lz4")
            .create()
            .unwrap();
        let topic = self.kafka.prefixed("user-events");
        let mut record: FutureRecord<'_, str, [u8]> = FutureRecord::to(&topic).payload(payload);
        record.key = key;
        producer.send(record, Duration::from_secs(20)).await.unwrap();
    }

    pub(crate) async fn names_of(&self, user_id: Uuid) -> Vec<String> {
        sqlx::query_scalar("SELECT name FROM names WHERE user_id = $1 ORDER BY place")
            .bind(user_id)
            .fetch_all(&self.db.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn unpublished(&self) -> i64 {
        count(&self.db.pool, "SELECT count(*) FROM outbox WHERE published_at IS NULL").await
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.workers.drained().await;
    }
}

const TABLES: &str = "CREATE TABLE registrations (place bigserial, user_id uuid, name text);
                      CREATE TABLE names (place bigserial, user_id uuid, name text)";

pub(crate) fn relay(pool: &PgPool, database: &DbConfig, kafka: &KafkaConfig) -> Relay {
    Relay { service: "test", pool: pool.clone(), database: database.clone(), kafka: kafka.clone() }
}

pub(crate) fn consumer(
    pool: &PgPool,
    kafka: &KafkaConfig,
    redis: &RedisConfig,
    names: &Arc<Names>,
) -> Consumer {
    Consumer {
        service: "test",
        group: "names",
        topics: vec![Topic::User],
        pool: pool.clone(),
        kafka: kafka.clone(),
        redis: dedup::connect(redis).unwrap(),
        clock: SystemClock::shared(),
        handler: Arc::clone(names) as Arc<dyn EventHandler>,
    }
}

/// The business: a row for each name, and its event.
pub(crate) async fn register_in_op(op: &mut Op, user_id: Uuid, names: &[&str]) {
    sqlx::query(
        "INSERT INTO registrations (user_id, name)
         SELECT $1, name FROM UNNEST($2::text[]) WITH ORDINALITY AS given (name, place) ORDER BY given.place",
    )
    .bind(user_id)
    .bind(names)
    .execute(&mut **op)
    .await
    .unwrap();
    let events: Vec<NewEvent> = names.iter().map(|name| registered(user_id, name)).collect();
    outbox::publish_in_op(op, &events).await.unwrap();
}

fn registered(user_id: Uuid, name: &str) -> NewEvent {
    let now = SystemClock.now();
    let user = UserSnapshot {
        user_id,
        email: "ada@example.com".to_owned(),
        phone_number: "+2348030000001".to_owned(),
        email_verified: Some(true),
        phone_verified: None,
        first_name: name.to_owned(),
        last_name: "Obi".to_owned(),
        kyc_tier: 0,
        roles: vec!["user".to_owned()],
        status: "active".to_owned(),
        created_at: now,
    };
    let context = EventContext::new("test", Actor::service("test"), now);
    NewEvent::new(&context, &UserRegistered(user)).unwrap()
}

pub(crate) async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Asks until it is so; fails after a minute.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let asked = tokio::time::timeout(Duration::from_mins(1), async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(asked.await.is_ok(), "never came: {what}");
}

pub(crate) fn embedded(broker: &EmbeddedBroker) -> KafkaConfig {
    KafkaConfig { brokers: broker.brokers(), embedded: true, ..no_kafka() }
}
