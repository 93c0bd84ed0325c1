//! The whole service, as it runs: an event of identity-service goes through Kafka and becomes a wallet.

use std::time::Duration;

use common_events::{
    Actor, EventContext, KafkaConfig, NewEvent,
    contracts::{EventData, UserRegistered, UserSnapshot, UserUpdated, UserVerified},
    outbox,
    testing::{kafka, no_redis},
};
use common_utils::{clock::SystemClock, ids::UserId, telemetry};
use tokio_util::sync::CancellationToken;
use wallet_service::{
    App,
    config::Config,
    providers::Providers,
    wallets::{self, Wallet},
};

use crate::support::World;

const PATIENCE: Duration = Duration::from_mins(1);

fn snapshot(user: UserId) -> UserSnapshot {
    UserSnapshot {
        user_id: user.uuid(),
        email: "ada@example.com".to_owned(),
        phone_number: "+2348031234567".to_owned(),
        email_verified: Some(true),
        phone_verified: None,
        first_name: "Ada".to_owned(),
        last_name: "Obi".to_owned(),
        kyc_tier: 0,
        roles: vec!["user".to_owned()],
        status: "active".to_owned(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// Lays the event into the outbox, from where the service's own relay takes it to Kafka.
async fn publish<T: EventData>(world: &World, user: UserId, data: &T) {
    let context = EventContext::new("identity-service", Actor::user(user), chrono::DateTime::UNIX_EPOCH);
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    outbox::publish_in_op(&mut op, &[NewEvent::new(&context, data).unwrap()]).await.unwrap();
    op.commit().await.unwrap();
}

async fn wallets_of(world: &World, user: UserId) -> Vec<Wallet> {
    wallets::list_by_user(&world.db.pool, user).await.unwrap()
}

/// Waits until the person has this many wallets.
async fn has_wallets(world: &World, user: UserId, count: usize) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while wallets_of(world, user).await.len() != count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("the wallets did not appear in time");
}

/// Waits until so much may come into the person's first wallet.
async fn has_ceiling(world: &World, user: UserId, ceiling: i64) {
    let wallet = wallets_of(world, user).await[0].id;
    let waited = tokio::time::timeout(PATIENCE, async {
        while world.intake_ceiling(wallet).await != Some(ceiling) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.expect("the ceiling did not move in time");
}

fn config(world: &World, kafka: KafkaConfig) -> Config {
    // Redis makes the service faster and is not needed.
    Config { kafka, redis: no_redis(), ..(*world.state.config).clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registered_person_gets_a_wallet_through_kafka() {
    telemetry::metrics::install().unwrap();
    let world = World::open().await;
    let config = config(&world, kafka().await);
    let authenticator = world.state.authenticator.clone();
    let app = App::new(config, authenticator, Providers::default(), SystemClock::shared()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let service = tokio::spawn(app.run(listener, shutdown.clone()));

    let (ada, bola) = (UserId::new(), UserId::new());
    publish(&world, ada, &UserRegistered(snapshot(ada))).await;
    has_wallets(&world, ada, 1).await;
    assert!(wallets_of(&world, ada).await[0].is_default);

    // Delivered again, the event changes nothing; the one behind it shows that it came through.
    sqlx::raw_sql("UPDATE outbox_batches SET published_at = NULL").execute(&world.db.pool).await.unwrap();
    publish(&world, ada, &UserVerified(snapshot(ada))).await;
    publish(&world, bola, &UserRegistered(snapshot(bola))).await;
    has_wallets(&world, bola, 1).await;
    has_wallets(&world, ada, 1).await;

    has_ceiling(&world, ada, 30_000_000).await;
    publish(&world, ada, &UserUpdated(UserSnapshot { kyc_tier: 2, ..snapshot(ada) })).await;
    has_ceiling(&world, ada, 50_000_000).await;

    let page = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    // The tests of this process share the counters, so what they say is left open.
    for series in [
        r#"wallet_ledger_postings_total{service="wallet",outcome="refused",type="adjustment"} "#,
        r#"wallet_ledger_batch_size_count{service="wallet"}"#,
        r#"wallet_ledger_post_duration_seconds_count{service="wallet"}"#,
        r#"wallet_consumer_messages_total{service="wallet",group="wallet-service",topic="user-events""#,
        r#"wallet_consumer_messages_total{service="wallet",group="wallet-service-tiers",topic="user-events""#,
    ] {
        assert!(page.contains(series), "{series} is missing in\n{page}");
    }
    let ready = reqwest::get(format!("http://{address}/health/ready")).await.unwrap();
    assert_eq!(ready.status(), 200);
    let health: serde_json::Value = ready.json().await.unwrap();
    assert_eq!(health["dependencies"]["postgres"], "up");

    shutdown.cancel();
    tokio::time::timeout(PATIENCE, service).await.expect("the service did not stop").unwrap().unwrap();
}
