//! Read models made anew from the topics, with a handler that can be stopped in the middle.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use common_db::Op;
use common_events::{
    Event, EventHandler, HandlerError, KafkaConfig, Projection, Topic,
    contracts::UserRegistered,
    projection,
    rebuild::{Ended, Rebuild, Told, Totals},
    testing::{kafka, no_kafka},
};
use common_utils::ids;
use sqlx::Connection;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, count, until};

/// Keeps the greatest name of each person. Cannot stand "poison"; waits at "slow" until it is let go, once.
#[derive(Default)]
struct Greatest {
    waiting: AtomicBool,
    go: Notify,
}

#[async_trait]
impl EventHandler for Greatest {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserRegistered>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        let Some(data) = event.data::<UserRegistered>() else { return Ok(()) };
        let user = data?.0;
        if user.first_name == "poison" {
            return Err(HandlerError::Failed(anyhow::anyhow!("cannot stand it")));
        }
        if user.first_name == "slow" {
            self.waiting.store(true, Ordering::SeqCst);
            self.go.notified().await;
        }
        sqlx::query(
            "INSERT INTO greatest (user_id, name) VALUES ($1, $2)
             ON CONFLICT ON CONSTRAINT greatest_pkey DO UPDATE SET name = EXCLUDED.name WHERE greatest.name < EXCLUDED.name",
        )
        .bind(user.user_id)
        .bind(user.first_name)
        .execute(&mut **op)
        .await?;
        Ok(())
    }
}

struct Model {
    world: World,
    handler: Arc<Greatest>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Model {
    async fn new() -> Self {
        Self::on(kafka().await).await
    }

    async fn on(kafka: KafkaConfig) -> Self {
        let world = World::new(kafka).await;
        let schema = "CREATE TABLE greatest (user_id uuid NOT NULL CONSTRAINT greatest_pkey PRIMARY KEY,
                          name text NOT NULL CONSTRAINT greatest_name_given CHECK (name <> ''));
                      CREATE INDEX greatest_backwards ON greatest (name DESC) WHERE name <> 'x';
                      GRANT SELECT ON greatest TO PUBLIC;
                      COMMENT ON COLUMN greatest.name IS 'the greatest'";
        sqlx::raw_sql(schema).execute(&world.db.pool).await.unwrap();
        Self { world, handler: Arc::default(), told: Arc::default() }
    }

    fn projection(&self) -> Projection {
        let handler = Arc::clone(&self.handler) as Arc<dyn EventHandler>;
        Projection { name: "greatest", tables: &["greatest"], topics: &[Topic::User], handler }
    }

    fn rebuild(&self, shutdown: &CancellationToken) -> Rebuild {
        Rebuild {
            projection: self.projection(),
            group: "names",
            database: self.world.db.config.clone(),
            kafka: self.world.kafka.clone(),
            shutdown: shutdown.clone(),
        }
    }

    async fn run(&self) -> anyhow::Result<Ended> {
        self.start(&CancellationToken::new()).await.unwrap()
    }

    fn start(&self, shutdown: &CancellationToken) -> JoinHandle<anyhow::Result<Ended>> {
        let (rebuild, told) = (self.rebuild(shutdown), Arc::clone(&self.told));
        let tell = move |what: Told<'_>| told.lock().unwrap().push(format!("{what:?}"));
        tokio::spawn(async move { rebuild.run(&tell).await })
    }

    async fn totals(&self) -> Totals {
        match self.run().await.unwrap() {
            Ended::Switched(totals) => totals,
            Ended::Stopped => panic!("nobody stopped it"),
        }
    }

    /// Published and in Kafka.
    async fn published(&self, user: Uuid, names: &[&str]) {
        self.world.register(user, names).await;
        until("published", async || self.world.unpublished().await == 0).await;
    }

    async fn at_work(&self) {
        until("the handler at work", async || self.handler.waiting.load(Ordering::SeqCst)).await;
    }

    fn has_told(&self, what: &str) -> bool {
        self.told.lock().unwrap().iter().any(|told| told.contains(what))
    }

    async fn name_of(&self, user: Uuid) -> Option<String> {
        sqlx::query_scalar("SELECT name FROM greatest WHERE user_id = $1")
            .bind(user)
            .fetch_optional(&self.world.db.pool)
            .await
            .unwrap()
    }

    async fn damage(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.world.db.pool).await.unwrap();
    }

    async fn schemas(&self) -> i64 {
        count(&self.world.db.pool, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'").await
    }

    /// Constraints, indexes, columns and grants by name.
    async fn definition(&self) -> Vec<String> {
        let parts = "SELECT format('%s %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint WHERE conrelid = 'greatest'::regclass
                     UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = 'greatest'
                     UNION ALL SELECT format('%s %s %s', attname, atttypid::regtype, col_description(attrelid, attnum)) FROM pg_attribute
                               WHERE attrelid = 'greatest'::regclass AND attnum > 0
                     UNION ALL SELECT format('%s %s', grantee, privilege_type) FROM information_schema.role_table_grants
                               WHERE table_name = 'greatest'
                     ORDER BY 1";
        sqlx::query_scalar(parts).fetch_all(&self.world.db.pool).await.unwrap()
    }
}

fn error(ended: anyhow::Result<Ended>) -> String {
    format!("{:#}", ended.unwrap_err())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_read_model_is_right_again_and_looks_as_before() {
    let model = Model::new().await;
    model.world.relay();
    let (ada, bola) = (ids::new_id(), ids::new_id());
    model.published(ada, &["a", "c", "b"]).await;
    model.published(bola, &["d"]).await;
    model.damage("INSERT INTO greatest VALUES (gen_random_uuid(), 'nobody')").await;
    let before = model.definition().await;
    let totals = model.totals().await;
    assert_eq!((totals.messages, totals.applied, totals.unreadable, totals.refused), (4, 4, 0, 0));
    assert_eq!((model.name_of(ada).await, model.name_of(bola).await), (Some("c".into()), Some("d".into())));
    assert_eq!(count(&model.world.db.pool, "SELECT count(*) FROM greatest").await, 2);
    assert_eq!(model.definition().await, before);
    assert_eq!(model.schemas().await, 0);
    // And once more, over what it has put there itself.
    assert_eq!(model.totals().await.applied, 4);
    assert_eq!(model.definition().await, before);
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_poison_is_left_out_and_counted() {
    let model = Model::new().await;
    model.world.relay();
    let (ada, others) = (ids::new_id(), (0..100).map(|_| ids::new_id()).collect::<Vec<_>>());
    for other in &others {
        model.world.register(*other, &["fine"]).await;
    }
    model.published(ada, &["a", "poison", "b"]).await;
    model.world.send(Some(&ada.to_string()), b"{garbage").await;
    model.world.send(Some("somebody else"), b"").await;
    let totals = model.totals().await;
    assert_eq!((totals.messages, totals.applied, totals.unreadable, totals.refused), (105, 102, 2, 1));
    assert_eq!(model.name_of(ada).await, Some("b".to_owned()));
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_events_with_one_id_it_takes_that_which_the_consumer_took() {
    let model = Model::new().await;
    let ada = ids::new_id();
    model.world.register(ada, &["real"]).await;
    let written = "SELECT payload FROM outbox LIMIT 1";
    let real: String = sqlx::query_scalar(written).fetch_one(&model.world.db.pool).await.unwrap();
    // The forged one is the first in the topic, but the consumer had had the real one.
    let forged = real.replace("real", "zforged");
    model.world.send(Some(&ada.to_string()), forged.as_bytes()).await;
    sqlx::query("INSERT INTO inbox (consumer, event_id, received_at, content) SELECT 'names', event_id, now(), sha256(payload::bytea) FROM outbox")
        .execute(&model.world.db.pool)
        .await
        .unwrap();
    model.world.relay();
    until("published", async || model.world.unpublished().await == 0).await;
    let totals = model.totals().await;
    assert_eq!((totals.applied, totals.unreadable), (1, 1));
    assert_eq!(model.name_of(ada).await, Some("real".to_owned()));
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_serves_until_the_new_one_has_what_came_meanwhile() {
    let model = Model::new().await;
    model.world.relay();
    let (ada, bola) = (ids::new_id(), ids::new_id());
    model.damage("INSERT INTO greatest VALUES ('00000000-0000-0000-0000-000000000001', 'old')").await;
    model.published(ada, &["a", "slow"]).await;
    let shutdown = CancellationToken::new();
    let running = model.start(&shutdown);
    model.at_work().await;
    // In the middle: the old rows, and none of the new.
    assert_eq!(model.name_of(Uuid::from_u128(1)).await, Some("old".to_owned()));
    assert_eq!(model.name_of(ada).await, None);
    model.published(bola, &["b"]).await;
    model.handler.go.notify_one();
    assert!(matches!(running.await.unwrap().unwrap(), Ended::Switched(_)));
    assert_eq!(
        (model.name_of(ada).await, model.name_of(bola).await),
        (Some("slow".into()), Some("b".into()))
    );
    assert_eq!(model.name_of(Uuid::from_u128(1)).await, None);
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_leaves_the_old_one_and_nothing_else() {
    let model = Model::new().await;
    model.world.relay();
    let ada = ids::new_id();
    model.damage("INSERT INTO greatest VALUES ('00000000-0000-0000-0000-000000000001', 'old')").await;
    model.published(ada, &["slow"]).await;
    let shutdown = CancellationToken::new();
    let running = model.start(&shutdown);
    model.at_work().await;
    assert_eq!(model.schemas().await, 1);
    shutdown.cancel();
    model.handler.go.notify_one();
    assert!(matches!(running.await.unwrap().unwrap(), Ended::Stopped));
    assert_eq!(model.name_of(Uuid::from_u128(1)).await, Some("old".to_owned()));
    assert_eq!(model.schemas().await, 0);
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_at_once_the_second_is_refused() {
    let model = Model::new().await;
    model.world.relay();
    model.published(ids::new_id(), &["slow"]).await;
    let shutdown = CancellationToken::new();
    let first = model.start(&shutdown);
    model.at_work().await;
    assert_eq!(error(model.run().await), "greatest is being rebuilt already");
    assert_eq!(model.schemas().await, 1, "that of the first");
    model.handler.go.notify_one();
    assert!(matches!(first.await.unwrap().unwrap(), Ended::Switched(_)));
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_tables_another_has_dropped_ends_and_changes_nothing() {
    let model = Model::new().await;
    model.world.relay();
    let ada = ids::new_id();
    model.damage("INSERT INTO greatest VALUES ('00000000-0000-0000-0000-000000000001', 'old')").await;
    model.published(ada, &["slow"]).await;
    let running = model.start(&CancellationToken::new());
    model.at_work().await;
    // As if its lock had been lost with its connection, and another one had begun.
    let schema = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'rebuild%'";
    let schema: String = sqlx::query_scalar(schema).fetch_one(&model.world.db.pool).await.unwrap();
    let drop = format!("DROP SCHEMA {schema} CASCADE");
    sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&model.world.db.pool).await.unwrap();
    model.handler.go.notify_one();
    assert!(error(running.await.unwrap()).contains("does not exist"));
    assert_eq!(model.name_of(Uuid::from_u128(1)).await, Some("old".to_owned()));
    assert_eq!(model.name_of(ada).await, None, "nothing was written into the old tables");
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_consumer_and_keeps_what_that_wrote() {
    let model = Model::new().await;
    model.world.relay();
    let (ada, bola) = (ids::new_id(), ids::new_id());
    model.published(ada, &["a"]).await;
    // A consumer in the middle of a batch: it has written what is in the topic by then.
    let written = "SELECT payload FROM outbox LIMIT 1";
    let event: String = sqlx::query_scalar(written).fetch_one(&model.world.db.pool).await.unwrap();
    let event: Event = serde_json::from_str(&event).unwrap();
    let mut op = common_db::begin(&model.world.db.pool).await.unwrap();
    projection::keep_in_op(&mut op, &[model.projection()], &[&event]).await.unwrap();
    let running = model.start(&CancellationToken::new());
    until("it has waited in vain", async || model.has_told("Waiting")).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database =
                   (SELECT oid FROM pg_database WHERE datname = current_database())";
    until("it waits again", async || count(&model.world.db.pool, waiting).await == 1).await;
    // It has followed the topic so far. What comes now it can only find under the lock.
    model.published(bola, &["b"]).await;
    op.commit().await.unwrap();
    assert!(matches!(running.await.unwrap().unwrap(), Ended::Switched(_)));
    assert_eq!((model.name_of(ada).await, model.name_of(bola).await), (Some("a".into()), Some("b".into())));
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_end_leaves_the_old_one_serving() {
    let model = Model::new().await;
    model.world.relay();
    model.published(ids::new_id(), &["a"]).await;
    model.damage("INSERT INTO greatest VALUES ('00000000-0000-0000-0000-000000000001', 'old')").await;
    // A copy of the database is being made, say.
    let mut reader = common_db::begin(&model.world.db.pool).await.unwrap();
    sqlx::query("SELECT FROM greatest").fetch_all(&mut *reader).await.unwrap();
    let told = error(model.run().await);
    assert!(
        told.starts_with("greatest cannot be replaced now; the old one goes on serving: somebody reads it"),
        "{told}"
    );
    reader.rollback().await.unwrap();
    assert_eq!(model.name_of(Uuid::from_u128(1)).await, Some("old".to_owned()));
    assert_eq!((model.schemas().await, model.totals().await.applied), (0, 1));
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_in_between_is_not_undone() {
    let model = Model::new().await;
    model.world.relay();
    model.published(ids::new_id(), &["slow"]).await;
    let running = model.start(&CancellationToken::new());
    model.at_work().await;
    model.damage("ALTER TABLE greatest ADD COLUMN least text").await;
    model.handler.go.notify_one();
    assert!(error(running.await.unwrap()).contains("were changed meanwhile"));
    model.damage("SELECT least FROM greatest").await;
    model.handler.go.notify_one();
    assert_eq!(model.totals().await.applied, 1);
    model.damage("SELECT least FROM greatest").await;
    model.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_kafka_or_tables_it_says_so_and_changes_nothing() {
    let model = Model::on(no_kafka()).await;
    let began = std::time::Instant::now();
    assert!(error(model.run().await).starts_with("Kafka does not answer"));
    assert!(began.elapsed().as_secs() < 20);
    assert_eq!(model.schemas().await, 0);
    let model = Model::new().await;
    model.damage("ALTER TABLE greatest RENAME TO elsewhere").await;
    assert!(error(model.run().await).contains("migrate first"));
    assert_eq!(model.schemas().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_that_are_prepared_go_on_over_the_switch() {
    let model = Model::new().await;
    model.world.relay();
    let ada = ids::new_id();
    model.published(ada, &["a"]).await;
    let mut connection =
        sqlx::PgConnection::connect_with(&model.world.db.config.connect_options("reader")).await.unwrap();
    for expected in [None, Some("a"), Some("a")] {
        // Often enough for a plan that is kept.
        for _ in 0..8 {
            let name: Option<String> = sqlx::query_scalar("SELECT name FROM greatest WHERE user_id = $1")
                .bind(ada)
                .fetch_optional(&mut connection)
                .await
                .unwrap();
            assert_eq!(name.as_deref(), expected);
        }
        model.totals().await;
    }
    model.world.stop().await;
}
