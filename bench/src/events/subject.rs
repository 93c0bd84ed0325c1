//! What is measured: an outbox, its relay, and a consumer with an inbox, as every service has them.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use async_trait::async_trait;
use common_db::{DbConfig, Op, PgPool, migrate};
use common_events::{
    Actor, Consumer, Event, EventContext, EventHandler, HandlerError, KafkaConfig, NewEvent, Topic,
    contracts::{Amount, EntrySnapshot, WalletCredited},
    dedup, outbox,
    relay::Relay,
    workers::Workers,
};
use common_utils::{
    clock::{Clock, SystemClock},
    config::{Env, RedisConfig},
    ids,
    money::Currency,
};
use sqlx::Executor;
use tokio::{sync::oneshot, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{plain::Payloads, until};
use crate::database::Server;

const DATABASE: &str = "bench_events";
const GROUP: &str = "bench";
const CONNECTIONS: u32 = 8;

pub(super) struct Subject {
    pool: PgPool,
    database: DbConfig,
    kafka: KafkaConfig,
    redis: RedisConfig,
    waiting: Arc<Waiting>,
}

/// Who waits for the effect of which entry.
#[derive(Default)]
struct Waiting(Mutex<HashMap<Uuid, oneshot::Sender<Instant>>>);

impl Waiting {
    fn expect(&self, entry: Uuid) -> oneshot::Receiver<Instant> {
        let (told, tells) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(entry, told);
        tells
    }

    fn tell(&self, entry: Uuid) {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&entry);
        if let Some(waits) = waits {
            // Who gave up needs no answer.
            let _ = waits.send(Instant::now());
        }
    }
}

/// Counts effects that are committed.
#[derive(Clone)]
pub(super) struct Effects {
    wanted: usize,
    committed: Arc<AtomicUsize>,
}

impl Effects {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted, committed: Arc::default() }
    }

    fn all(&self) -> bool {
        self.committed.load(Ordering::Relaxed) >= self.wanted
    }
}

/// One row for each event.
struct Writer {
    effects: Effects,
    waiting: Arc<Waiting>,
}

#[async_trait]
impl EventHandler for Writer {
    fn takes(&self, event: &Event) -> bool {
        event.is::<WalletCredited>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let ids: Vec<Uuid> = events.iter().map(|event| event.id).collect();
        let write = sqlx::query("INSERT INTO effects (event_id) SELECT * FROM UNNEST($1::uuid[])").bind(&ids);
        write.execute(&mut **op).await?;
        Ok(())
    }

    async fn committed(&self, event: &Event) {
        self.effects.committed.fetch_add(1, Ordering::Relaxed);
        if let Some(Ok(WalletCredited(entry))) = event.data::<WalletCredited>() {
            self.waiting.tell(entry.entry_id);
        }
    }
}

/// What runs until it is told to end.
pub(super) struct Running(Workers);

impl Running {
    pub(super) async fn end(self) {
        self.0.drained().await;
    }
}

/// Events that come beside those that are measured; they end when this is dropped.
pub(super) struct Load(JoinHandle<anyhow::Result<()>>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Subject {
    pub(super) async fn new(server: &Server, kafka: KafkaConfig) -> anyhow::Result<Self> {
        server.drop(DATABASE).await?;
        let database = server.config(DATABASE);
        migrate::run(&database, &migrate::Migrations::common(), migrate::Mode::Apply).await?;
        let pool = server.pool(DATABASE, CONNECTIONS);
        pool.execute("CREATE TABLE effects (event_id uuid PRIMARY KEY)").await?;
        let redis = RedisConfig::from_env(&Env::of_process("bench"))?;
        Ok(Self { pool, database, kafka, redis, waiting: Arc::default() })
    }

    /// Writes so many events, some in each transaction.
    pub(super) async fn fill(&self, events: usize, in_a_row: usize) -> anyhow::Result<()> {
        for start in (0..events).step_by(in_a_row) {
            self.write(in_a_row.min(events - start)).await?;
        }
        Ok(())
    }

    async fn write(&self, events: usize) -> anyhow::Result<()> {
        let events: Result<Vec<NewEvent>, _> = (0..events).map(|_| event(ids::new_id())).collect();
        let mut op = common_db::begin(&self.pool).await?;
        outbox::publish_in_op(&mut op, &events?).await?;
        Ok(op.commit().await?)
    }

    pub(super) async fn payloads(&self) -> anyhow::Result<Payloads> {
        let all = sqlx::query_as("SELECT key, payload FROM outbox ORDER BY position");
        Ok(all.fetch_all(&self.pool).await?)
    }

    /// Publishes what is in the outbox.
    pub(super) async fn relay_all(&self) -> anyhow::Result<()> {
        let workers = Workers::new(&CancellationToken::new());
        workers.relay(self.relay());
        until("an empty outbox", async || {
            let left = "SELECT EXISTS (SELECT FROM outbox_batches WHERE published_at IS NULL)";
            Ok(!sqlx::query_scalar::<_, bool>(left).fetch_one(&self.pool).await?)
        })
        .await?;
        workers.drained().await;
        Ok(())
    }

    /// Takes in what is in the topic.
    pub(super) async fn consume_all(&self, effects: &Effects) -> anyhow::Result<()> {
        let workers = Workers::new(&CancellationToken::new());
        workers.consumer(self.consumer(effects.clone())?);
        until("all effects", async || Ok(effects.all())).await?;
        workers.drained().await;
        Ok(())
    }

    /// Every event took effect, once.
    pub(super) async fn verify(&self, events: usize) -> anyhow::Result<()> {
        for table in ["effects", "inbox", "outbox"] {
            let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
            let count: i64 = sqlx::query_scalar(count).fetch_one(&self.pool).await?;
            ensure!(usize::try_from(count)? == events, "{table} has {count} of {events} events");
        }
        Ok(())
    }

    /// Relay and consumer, side by side.
    pub(super) fn run(&self) -> anyhow::Result<Running> {
        let workers = Workers::new(&CancellationToken::new());
        workers.relay(self.relay());
        workers.consumer(self.consumer(Effects::new(0))?);
        Ok(Running(workers))
    }

    /// Writes one event, and tells how long it took from its commit to its effect.
    pub(super) async fn one(&self) -> anyhow::Result<Duration> {
        let entry = ids::new_id();
        let event = event(entry)?;
        let effect = self.waiting.expect(entry);
        let mut op = common_db::begin(&self.pool).await?;
        outbox::publish_in_op(&mut op, &[event]).await?;
        op.commit().await?;
        let committed = Instant::now();
        let effect = tokio::time::timeout(Duration::from_mins(1), effect).await??;
        Ok(effect.saturating_duration_since(committed))
    }

    pub(super) fn load(&self, pause: Duration, in_a_row: usize) -> Load {
        let (pool, database, kafka, redis) =
            (self.pool.clone(), self.database.clone(), self.kafka.clone(), self.redis.clone());
        let other = Self { pool, database, kafka, redis, waiting: Arc::default() };
        Load(tokio::spawn(async move {
            let mut tick = tokio::time::interval(pause);
            loop {
                tick.tick().await;
                other.write(in_a_row).await?;
            }
        }))
    }

    pub(super) async fn end(self, server: &Server) -> anyhow::Result<()> {
        self.pool.close().await;
        server.drop(DATABASE).await
    }

    fn relay(&self) -> Relay {
        Relay {
            service: "bench",
            pool: self.pool.clone(),
            database: self.database.clone(),
            kafka: self.kafka.clone(),
        }
    }

    fn consumer(&self, effects: Effects) -> anyhow::Result<Consumer> {
        Ok(Consumer {
            service: "bench",
            group: GROUP,
            topics: vec![Topic::Wallet],
            pool: self.pool.clone(),
            kafka: self.kafka.clone(),
            redis: dedup::connect(&self.redis)?,
            clock: SystemClock::shared(),
            handler: Arc::new(Writer { effects, waiting: Arc::clone(&self.waiting) }),
        })
    }
}

/// As the ledger tells of an entry.
fn event(entry: Uuid) -> anyhow::Result<NewEvent> {
    let now = SystemClock.now();
    let context = EventContext::new("wallet-service", Actor::service("wallet-service"), now);
    let snapshot = EntrySnapshot {
        wallet_id: ids::new_id(),
        user_id: ids::new_id(),
        entry_id: entry,
        sequence: 1,
        transaction_id: ids::new_id(),
        transaction_type: "transfer".to_owned(),
        amount: Amount { amount: 150_000, currency: Currency::NGN },
        balance_after: 150_000,
        description: "Lunch".to_owned(),
        provider_reference: None,
        counterparty_name: None,
        posted_at: now,
    };
    Ok(NewEvent::new(&context, &WalletCredited(snapshot))?)
}
