//! The ledger's check of itself: what it finds is in the metrics, and one instance checks at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::TimeDelta;
use common_utils::{
    clock::{Clock, SharedClock},
    config::Env,
    telemetry::metrics,
};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use wallet_service::{SERVICE, config::Config, ledger::SelfCheck};

use crate::support::World;

/// Often, and from the beginning.
fn self_check(world: &World) -> SelfCheck {
    SelfCheck {
        database: world.db.config.clone(),
        clock: Arc::clone(&world.clock) as SharedClock,
        first: Duration::ZERO,
        every: Duration::from_millis(20),
    }
}

/// The series of the self-check, by the end of their name.
fn gauges() -> BTreeMap<String, String> {
    let text = metrics::render(SERVICE);
    let own = text.lines().filter_map(|line| line.strip_prefix("wallet_ledger_check_"));
    own.filter_map(|line| line.split_once("{service=\"wallet\"} "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

async fn until(wanted: impl Fn(&BTreeMap<String, String>) -> bool) {
    let reached = async {
        while !wanted(&gauges()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let deadline = Duration::from_secs(30);
    assert!(tokio::time::timeout(deadline, reached).await.is_ok(), "{:?}", gauges());
}

/// One test, because the process has one set of gauges.
#[tokio::test]
async fn what_is_found_is_in_the_metrics_until_it_is_gone() {
    metrics::install().unwrap();
    let world = World::open().await;
    world.person_with(100).await;
    let start = world.clock.now().timestamp().to_string();

    // While it cannot be checked, nothing changes but the age of the last check.
    let mut elsewhere = self_check(&world);
    elsewhere.database.port = 1;
    let stop = CancellationToken::new();
    let failing = tokio::spawn(elsewhere.run(stop.clone()));
    until(|gauges| gauges.len() == 4).await;
    world.clock.advance(TimeDelta::hours(1));
    assert_eq!(gauges()["last_success_timestamp_seconds"], start);
    assert_eq!((gauges()["interval_seconds"].as_str(), gauges()["differences"].as_str()), ("0.02", "0"));
    stop.cancel();
    failing.await.unwrap();

    let later = world.clock.now().timestamp().to_string();
    let stop = CancellationToken::new();
    let running = tokio::spawn(self_check(&world).run(stop.clone()));
    let is = |name: &'static str, value: &'static str| until(move |gauges| gauges[name] == value);
    until(|gauges| gauges["last_success_timestamp_seconds"] == later && gauges["duration_seconds"] != "0")
        .await;
    is("differences", "0").await;
    sqlx::raw_sql("UPDATE balances SET posted = posted + 1").execute(&world.db.pool).await.unwrap();
    // Two balances and a currency.
    is("differences", "3").await;
    sqlx::raw_sql("UPDATE balances SET posted = posted - 1").execute(&world.db.pool).await.unwrap();
    is("differences", "0").await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_check_under_way_does_not_hold_up_the_end() {
    let world = World::open().await;
    let mut locked = world.db.pool.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(self_check(&world).run(stop.clone()));
    while !world.somebody_waits_for_a_lock().await {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    // The lock is still held.
    running.await.unwrap();
    locked.rollback().await.unwrap();
}

#[tokio::test]
async fn one_instance_checks_at_a_time() {
    let world = World::open().await;
    world.person_with(100).await;
    let (one, other) = (self_check(&world), self_check(&world));
    assert!(one.check().await.unwrap().unwrap().is_clean());
    // Its lock went with it.
    assert!(other.check().await.unwrap().is_some());
    let mut leader = PgConnection::connect_with(&world.db.config.connect_options("leader")).await.unwrap();
    sqlx::query("SELECT pg_advisory_lock(x'6c6564676572'::bigint)").execute(&mut leader).await.unwrap();
    assert!(one.check().await.unwrap().is_none());
    leader.close().await.unwrap();
    while one.check().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn zero_turns_it_off() {
    let interval = |value: &str| {
        let values = [("LEDGER_CHECK_INTERVAL".to_owned(), value.to_owned())].into();
        let env = Env::from_values(SERVICE, values);
        Config::from_env(&env).map(|config| config.ledger_check_interval)
    };
    assert_eq!(interval("").unwrap(), Duration::from_hours(1));
    assert_eq!(interval("15m").unwrap(), Duration::from_mins(15));
    assert!(interval("often").is_err());
    let world = World::open().await;
    let off = SelfCheck { every: interval("0").unwrap(), ..self_check(&world) };
    // It ends at once, and not because it was told to.
    off.run(CancellationToken::new()).await;
}
