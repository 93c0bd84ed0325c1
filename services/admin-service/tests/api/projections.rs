//! `admin-service projection rebuild`, over a real Kafka and beside a service that runs.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use admin_service::projections;
use common_auth::Role;
use common_db::PgPool;
use common_events::{
    KafkaConfig,
    contracts::{
        self, TransactionCompleted, TransactionInitiated, UserRegistered, UserUpdated, VirtualAccountIssued,
        WalletCreated, WalletCredited,
    },
    testing::kafka,
};
use common_utils::{clock::SystemClock, ids};
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;
use tokio::process::Command;
use uuid::Uuid;

use crate::{
    events::{Running, publish},
    support::{account, entry, transaction, user, wallet},
    world::{World, event, eventually},
};

/// A person with a wallet, money that came in, and a transfer to herself.
async fn somebody(pool: &PgPool, name: &str) -> Uuid {
    let (id, purse, deposit, transfer) = (ids::new_id(), ids::new_id(), ids::new_id(), ids::new_id());
    publish(pool, &[UserRegistered(user(id, "Old"))]).await;
    publish(pool, &[UserUpdated(user(id, name))]).await;
    publish(pool, &[WalletCreated(wallet(purse, id, "active"))]).await;
    publish(pool, &[VirtualAccountIssued(account(purse, id))]).await;
    publish(pool, &[1, 2].map(|number| WalletCredited(entry(purse, id, number, deposit)))).await;
    publish(pool, &[TransactionInitiated(transaction(transfer, "initiated", (purse, id), (purse, id)))])
        .await;
    publish(pool, &[TransactionCompleted(transaction(transfer, "completed", (purse, id), (purse, id)))])
        .await;
    id
}

/// All rows of a read model, as text.
async fn rows(pool: &PgPool, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for table in projections::find(name).unwrap().tables {
        let query = format!("SELECT '{table} ' || to_jsonb(t)::text FROM {table} t ORDER BY 1");
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
        all.extend(rows);
    }
    all
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

async fn damage(pool: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(pool).await.unwrap();
}

/// Until the consumer has taken in all that was published.
async fn all_taken_in(pool: &PgPool) {
    eventually("all events", async || {
        let left = "SELECT (SELECT count(*) FROM outbox) - (SELECT count(*) FROM inbox)";
        (count(pool, left).await == 0).then_some(())
    })
    .await;
}

#[test]
fn a_read_model_is_made_from_every_topic_that_it_takes_events_of() {
    for projection in projections::all() {
        for contract in contracts::all() {
            let mut event = event(contract.kind, "any/1", "service:test", &json!({}));
            event.dataschema = format!("/schemas/{}", contract.file());
            let takes = projection.handler.takes(&event);
            let reads = projection.topics.contains(&contract.topic);
            assert!(
                !takes || reads,
                "{} takes {} and does not read its topic",
                projection.name,
                contract.kind
            );
        }
    }
}

struct Ended {
    status: Option<i32>,
    out: String,
    told: String,
}

/// The command as an operator calls it.
async fn command(world: &World, kafka: &KafkaConfig, arguments: &[&str], failpoints: &str) -> Ended {
    let config = &world.db.config;
    let mut command = Command::new(env!("CARGO_BIN_EXE_admin-service"));
    command.args(["projection"]).args(arguments);
    command.envs([("DB_HOST", &config.host), ("DB_NAME", &config.name), ("DB_USER", &config.user)]);
    command.env("DB_PORT", config.port.to_string());
    if let Some(password) = &config.password {
        command.env("DB_PASSWORD", secrecy::ExposeSecret::expose_secret(password));
    }
    command.envs([("KAFKA_BROKERS", &kafka.brokers), ("KAFKA_PREFIX", &kafka.prefix)]);
    command.env("FAILPOINTS", failpoints).stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { status: output.status.code(), out: text(output.stdout), told: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_gives_the_rows_that_the_consumer_gave_while_more_is_published() {
    let (world, kafka) = (World::new().await, kafka().await);
    let pool = &world.db.pool;
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    for number in 0..30 {
        somebody(pool, &format!("Ada{number}")).await;
    }
    let listed = ids::new_id();
    for roles in [vec!["user", "support"], vec!["user"]] {
        let roles = roles.into_iter().map(str::to_owned).collect();
        publish(
            pool,
            &[UserUpdated(common_events::contracts::UserSnapshot { roles, ..user(listed, "Staff") })],
        )
        .await;
    }
    all_taken_in(pool).await;
    let before = [rows(pool, "support").await, rows(pool, "staff").await];
    assert_eq!(before[0].len(), 30 * 7 + 1);
    assert_eq!(before[1].len(), 1, "who was staff once");

    // Damaged by hand.
    damage(pool, "DELETE FROM support_wallets").await;
    damage(pool, "UPDATE support_transactions SET status = 'initiated', progress = 3").await;
    damage(pool, "UPDATE support_users SET as_of = now() + interval '1 year', first_name = 'Nobody'").await;
    damage(pool, "INSERT INTO support_balances VALUES (gen_random_uuid(), 1, 1, now())").await;
    damage(pool, "DELETE FROM staff").await;
    for name in ["support", "staff"] {
        let ended = command(&world, &kafka, &["rebuild", name], "").await;
        assert_eq!(ended.status, Some(0), "{}", ended.told);
        assert!(ended.out.starts_with(&format!("{name}: the new read model serves: ")), "{}", ended.out);
    }
    assert_eq!([rows(pool, "support").await, rows(pool, "staff").await], before);

    // While somebody writes, and others read with statements that they had prepared before.
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (pool, stop) = (pool.clone(), Arc::clone(&stop));
        async move {
            let mut people = Vec::new();
            while !stop.load(Ordering::SeqCst) {
                people.push(somebody(&pool, &format!("Bola{}", people.len())).await);
            }
            people
        }
    });
    let staff = world.person(Role::Support);
    let known: Uuid =
        sqlx::query_scalar("SELECT user_id FROM support_users LIMIT 1").fetch_one(pool).await.unwrap();
    for _ in 0..3 {
        let path = format!("/api/v1/admin/users/{known}");
        let rebuilding = command(&world, &kafka, &["rebuild", "support"], "");
        tokio::pin!(rebuilding);
        let ended = loop {
            tokio::select! {
                ended = &mut rebuilding => break ended,
                seen = world.get(&staff, &path) => { seen.expect(200); }
            }
        };
        assert_eq!(ended.status, Some(0), "{}", ended.told);
    }
    stop.store(true, Ordering::SeqCst);
    let people = writer.await.unwrap();
    all_taken_in(pool).await;
    let live = rows(pool, "support").await;
    assert_eq!(live.len(), (30 + people.len()) * 7 + 1, "what the consumer took in before, during and after");
    let ended = command(&world, &kafka, &["rebuild", "support"], "").await;
    assert_eq!(ended.status, Some(0), "{}", ended.told);
    assert_eq!(rows(pool, "support").await, live);
    assert_eq!(count(pool, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild%'").await, 0);

    // And the consumer goes on.
    let last = somebody(pool, "Chidi").await;
    eventually("the last one", async || {
        let seen = world.get(&staff, &format!("/api/v1/admin/users/{last}")).await;
        (seen.body["user"]["firstName"] == "Chidi").then_some(())
    })
    .await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_that_is_killed_leaves_the_old_one_and_the_next_one_succeeds() {
    let (world, kafka) = (World::new().await, kafka().await);
    let pool = &world.db.pool;
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    somebody(pool, "Ada").await;
    all_taken_in(pool).await;
    let right = rows(pool, "support").await;
    damage(pool, "UPDATE support_users SET first_name = 'Nobody'").await;
    let wrong = rows(pool, "support").await;
    let left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rebuild_support_%'";
    for point in ["rebuild.after_batch", "rebuild.before_switch", "rebuild.before_commit"] {
        let killed = command(&world, &kafka, &["rebuild", "support"], &format!("{point}=return")).await;
        assert_eq!(killed.status, None, "{point}: {}", killed.told);
        assert_eq!(rows(pool, "support").await, wrong, "{point}: the old one serves");
        assert_eq!(count(pool, left).await, 1, "{point}: what the next one drops");
    }
    let ended = command(&world, &kafka, &["rebuild", "support"], "rebuild.after_commit=return").await;
    assert_eq!(ended.status, None);
    assert!(ended.told.contains("support: dropped rebuild_support_"), "{}", ended.told);
    assert_eq!((rows(pool, "support").await, count(pool, left).await), (right, 0));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_before_the_read_model_was_there_is_in_it_after_a_rebuild() {
    let (world, kafka) = (World::new().await, kafka().await);
    let pool = &world.db.pool;
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let ada = somebody(pool, "Ada").await;
    all_taken_in(pool).await;
    // As after an upgrade: the events were taken in, and the tables are new.
    damage(
        pool,
        "TRUNCATE support_users, support_wallets, support_balances, support_accounts, support_transactions, support_counterparties",
    )
    .await;
    let staff = world.person(Role::Support);
    world.get(&staff, &format!("/api/v1/admin/users/{ada}")).await.expect(404);
    // No event, in the middle of a topic.
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    let topic = kafka.prefixed("user-events");
    let garbage = FutureRecord::to(&topic).key("k").payload("{garbage");
    producer.send(garbage, std::time::Duration::from_secs(20)).await.unwrap();
    let ended = command(&world, &kafka, &["rebuild", "support"], "").await;
    assert_eq!(ended.status, Some(0), "{}", ended.told);
    assert!(ended.out.contains("9 events in"), "{}", ended.out);
    assert!(ended.out.contains("; 1 could not be read and were left out"), "{}", ended.out);
    world.get(&staff, &format!("/api/v1/admin/users/{ada}")).await.expect(200);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_said_with_status_1() {
    let (world, kafka) = (World::new().await, kafka().await);
    let listed = command(&world, &kafka, &["list"], "").await;
    assert_eq!(listed.status, Some(0));
    assert!(
        listed.out.contains("support    of user-events, wallet-events, transaction-events\n"),
        "{}",
        listed.out
    );
    let unknown = command(&world, &kafka, &["rebuild", "balances"], "").await;
    assert_eq!(unknown.status, Some(1));
    assert!(
        unknown.told.contains("there is no read model `balances`; there are: staff, support"),
        "{}",
        unknown.told
    );
    let away = KafkaConfig { brokers: "127.0.0.1:1".to_owned(), ..kafka.clone() };
    let away = command(&world, &away, &["rebuild", "support"], "").await;
    assert_eq!(away.status, Some(1));
    assert!(away.told.contains("Kafka does not answer"), "{}", away.told);
    let nowhere = KafkaConfig { prefix: "no-topics-".to_owned(), ..kafka };
    let nowhere = command(&world, &nowhere, &["rebuild", "support"], "").await;
    assert_eq!(nowhere.status, Some(1));
    assert!(nowhere.told.contains("there is no topic no-topics-user-events"), "{}", nowhere.told);
}

#[tokio::test]
async fn each_read_model_can_be_copied_and_says_what_it_consists_of() {
    let world = World::new().await;
    for projection in projections::all() {
        assert!(projection.name.chars().all(|letter| letter.is_ascii_lowercase()), "{}", projection.name);
        assert_eq!(projections::find(projection.name).unwrap().name, projection.name);
    }
    // A table that is missing in the list would keep what it has.
    let query = "SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'support\\_%' ORDER BY 1";
    let tables: Vec<String> = sqlx::query_scalar(query).fetch_all(&world.db.pool).await.unwrap();
    let mut listed = projections::find("support").unwrap().tables.to_vec();
    listed.sort_unstable();
    assert_eq!(listed, tables);
}
