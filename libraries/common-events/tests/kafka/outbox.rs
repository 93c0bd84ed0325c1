//! What becomes of published events in the outbox.

use std::time::Duration;

use common_events::{
    KafkaConfig,
    embedded_broker::EmbeddedBroker,
    testing::{kafka, redis},
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
    let kafka = KafkaConfig { outbox_retention: Duration::from_millis(1), ..kafka().await };
    let world = World::new(kafka).await;
    let user = ids::new_id();
    let names: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    for name in &names {
        world.register(user, &[name]).await;
    }
    let late = "UPDATE outbox_batches SET created_at = now() - interval '1 year'";
    sqlx::query(late).execute(&world.db.pool).await.unwrap();
    sqlx::query(PAST).execute(&world.db.pool).await.unwrap();
    world.relay();
    world.consumer(&redis());
    until("all of them", async || world.names_of(user).await == names).await;
    until("the old ones gone", async || rows(&world).await < 1251).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_does_not_wait_for_an_outbox_that_cannot_be_cleaned() {
    let kafka = KafkaConfig { outbox_retention: Duration::from_hours(1), ..kafka().await };
    let world = World::new(kafka).await;
    sqlx::query(PAST).execute(&world.db.pool).await.unwrap();
    let refuse =
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
                  CREATE TRIGGER refuse BEFORE DELETE ON outbox_batches EXECUTE FUNCTION refuse()";
    sqlx::raw_sql(refuse).execute(&world.db.pool).await.unwrap();
    world.register(ids::new_id(), &["waits"]).await;
    world.relay();
    until("published", async || world.unpublished().await == 0).await;
    assert_eq!(rows(&world).await, 1202);
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
