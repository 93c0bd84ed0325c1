//! What becomes of published events in the outbox.

use std::time::Duration;

use common_events::{
    KafkaConfig,
    embedded_broker::EmbeddedBroker,
    testing::{kafka, no_kafka},
};
use common_utils::ids;

use crate::world::{World, count, embedded, until};

/// 1,200 rows that were published two hours ago, one that was published just now, and one that waits behind them.
const PAST: &str =
    "INSERT INTO outbox_batches (topic, events, event_ids, keys, types, payloads, created_at, published_at)
    SELECT 'user-events', 1, ARRAY[gen_random_uuid()], ARRAY['k'], ARRAY['t'], ARRAY['{}'], now(),
           CASE WHEN n <= 1200 THEN now() - interval '2 hours' ELSE now() END
    FROM generate_series(1, 1201) AS n";

async fn rows(world: &World) -> i64 {
    count(&world.db.pool, "SELECT count(*) FROM outbox_batches").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_long_ago_is_taken_out() {
    let kafka = KafkaConfig { outbox_retention: Duration::from_hours(1), ..kafka().await };
    let world = World::new(kafka).await;
    sqlx::query(PAST).execute(&world.db.pool).await.unwrap();
    world.register(ids::new_id(), &["waits"]).await;
    world.relay();
    until("the rest", async || rows(&world).await == 2).await;
    until("published", async || world.unpublished().await == 0).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_published_stays_however_old_it_is() {
    let kafka = KafkaConfig { outbox_retention: Duration::from_millis(1), ..no_kafka() };
    let world = World::new(kafka).await;
    world.register(ids::new_id(), &["waits"]).await;
    let late = "UPDATE outbox_batches SET created_at = now() - interval '1 year'";
    sqlx::query(late).execute(&world.db.pool).await.unwrap();
    sqlx::query(PAST).execute(&world.db.pool).await.unwrap();
    world.relay();
    // Kafka is away, so the relay waits for it; its first look at the outbox comes before.
    until("the old ones", async || rows(&world).await < 1202).await;
    assert_eq!(world.unpublished().await, 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_broker_needs_all_of_it() {
    let broker = EmbeddedBroker::start().unwrap();
    let kafka = KafkaConfig { outbox_retention: Duration::from_millis(1), ..embedded(&broker) };
    let world = World::new(kafka).await;
    sqlx::query(PAST).execute(&world.db.pool).await.unwrap();
    world.relay();
    // It offers all of them again, and keeps them.
    until("published", async || world.unpublished().await == 0).await;
    assert_eq!(rows(&world).await, 1201);
    world.stop().await;
}
