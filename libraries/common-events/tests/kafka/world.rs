//! A database with an outbox, an inbox and the effect of a handler, and the means to wait for what comes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use common_db::{Op, PgPool, migrate::Migrations, testing::TestDb};
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
    ClientConfig, Message,
    consumer::{Consumer as _, StreamConsumer},
    message::Headers,
    producer::{FutureProducer, FutureRecord},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Writes down each name it sees. Cannot stand the names "poison" and "panic", and waits at "slow" until the gate is open.
struct Names {
    gate: Arc<Gate>,
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

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        let Some(data) = event.data::<UserRegistered>() else { return Ok(()) };
        let user = data?.0;
        if user.first_name == "poison" {
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
    pub(crate) gate: Arc<Gate>,
}

impl World {
    pub(crate) async fn new(kafka: KafkaConfig) -> Self {
        let db = TestDb::create("common", &Migrations::common()).await;
        sqlx::raw_sql("CREATE TABLE names (place bigserial, user_id uuid, name text)")
            .execute(&db.pool)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        Self { db, kafka, workers: Workers::new(&shutdown), shutdown, gate: Arc::default() }
    }

    pub(crate) fn relay(&self) {
        self.relay_in(&self.workers);
    }

    /// Beside others, to be stopped by itself.
    pub(crate) fn relay_in(&self, workers: &Workers) {
        workers.relay(Relay {
            service: "test",
            pool: self.db.pool.clone(),
            database: self.db.config.clone(),
            kafka: self.kafka.clone(),
        });
    }

    pub(crate) fn consumer(&self, redis: &RedisConfig) {
        self.consumer_in(&self.workers, redis);
    }

    /// A member of the group that is stopped by itself.
    pub(crate) fn consumer_in(&self, workers: &Workers, redis: &RedisConfig) {
        workers.consumer(Consumer {
            service: "test",
            group: "names",
            topics: vec![Topic::User],
            pool: self.db.pool.clone(),
            kafka: self.kafka.clone(),
            redis: dedup::connect(redis).unwrap(),
            clock: SystemClock::shared(),
            handler: Arc::new(Names { gate: Arc::clone(&self.gate) }),
        });
    }

    pub(crate) async fn register(&self, user_id: Uuid, names: &[&str]) {
        let events: Vec<NewEvent> = names.iter().map(|name| registered(user_id, name)).collect();
        self.publish(&events).await;
    }

    pub(crate) async fn publish(&self, events: &[NewEvent]) {
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        outbox::publish_in_op(&mut op, events).await.unwrap();
        op.commit().await.unwrap();
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

pub(crate) fn registered(user_id: Uuid, name: &str) -> NewEvent {
    let now = SystemClock.now();
    let user = UserSnapshot {
        user_id,
        email: "ada@example.com".to_owned(),
        phone_number: "+2348030000001".to_owned(),
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

/// A dead letter: the bytes that were set aside, and what was written beside them.
pub(crate) struct Letter {
    pub(crate) bytes: Vec<u8>,
    pub(crate) headers: HashMap<String, String>,
}

impl Letter {
    pub(crate) fn error(&self) -> &str {
        &self.headers["dlq-error"]
    }
}

/// The first dead letters of `user-events`.
pub(crate) async fn dead_letters(kafka: &KafkaConfig, how_many: usize) -> Vec<Letter> {
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
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let headers = message.headers().unwrap().iter();
        let headers = headers.map(|header| (header.key.to_owned(), text(header.value.unwrap()))).collect();
        found.push(Letter { bytes: message.payload().unwrap_or_default().to_vec(), headers });
    }
    found
}
