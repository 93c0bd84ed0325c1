//! From the outbox to the effect, on a real Postgres and a real Kafka, and again on the embedded broker.

use common_events::{
    KafkaConfig, dedup,
    dedup::Dedup,
    embedded_broker::EmbeddedBroker,
    testing::{kafka, no_redis, redis},
    workers::Workers,
};
use common_utils::ids;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, embedded, until};

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
    Dedup::new(dedup::connect(&redis()).unwrap(), &world.kafka.prefixed("names")).mark(&[event]).await;
    world.relay();
    world.consumer(&redis());
    until("the effect", async || world.names_of(user).await.len() == 1).await;
    world.stop().await;
}
