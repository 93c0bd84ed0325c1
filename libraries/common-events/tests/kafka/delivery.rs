//! From the outbox to the effect, on a real Postgres.

use common_events::{
    KafkaConfig, dedup,
    dedup::Dedup,
    embedded_broker::EmbeddedBroker,
    testing::{no_redis, redis},
};
use common_utils::ids;
use uuid::Uuid;

use crate::{
    load::Load,
    process::Process,
    world::{World, count, embedded, until},
};

on_both_brokers! {
    an_event_takes_effect_once_and_in_order
    without_redis_the_inbox_decides
    a_mark_in_redis_without_an_effect_decides_nothing
    what_nobody_wants_is_passed_over_and_what_cannot_be_told_is_tried
}

async fn an_event_takes_effect_once_and_in_order(kafka: KafkaConfig) {
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

    world.publish_again().await;
    world.register(bola, &["c"]).await;
    until("the event behind the repeated ones", async || world.names_of(bola).await == ["b", "c"]).await;
    assert_eq!(world.names_of(ada).await.len(), 200);
    world.agrees().await;
    world.stop().await;
}

async fn what_nobody_wants_is_passed_over_and_what_cannot_be_told_is_tried(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let ada = ids::new_id();
    for name in ["unwanted", "a", "unknown"] {
        world.register(ada, &[name]).await;
        if name != "unwanted" {
            until("it took effect", async || {
                world.names_of(ada).await.last().is_some_and(|last| last == name)
            })
            .await;
        }
    }
    assert_eq!(world.names_of(ada).await, ["a", "unknown"]);
    assert_eq!(count(&world.db.pool, "SELECT count(*) FROM inbox").await, 2, "it leaves nothing behind");
    world.stop().await;
}

/// A process dies in the middle of a load, with its broker, its relay and its consumer, and the next one starts with nothing but
/// the database.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_the_embedded_broker_loses_no_effect() {
    let broker = EmbeddedBroker::start().unwrap();
    let world = World::new(embedded(&broker)).await;
    let load = Load::start(&world);
    for failpoint in [
        "consumer.after_commit=5*off->1*return",
        "relay.after_publish=9*off->1*return",
        "consumer.before_commit=5*off->1*return",
    ] {
        let platform = Process::with_embedded_broker(&world, &redis(), failpoint);
        until("its death", async || platform.crashed()).await;
    }
    world.relay();
    world.consumer(&redis());
    world.more_effects(100).await;
    load.finish().await;
    world.agrees().await;
    world.stop().await;
}

async fn without_redis_the_inbox_decides(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&no_redis());
    let user = ids::new_id();
    world.register(user, &["a"]).await;
    until("the effect", async || world.names_of(user).await.len() == 1).await;
    world.publish_again().await;
    world.register(user, &["b"]).await;
    until("the next effect", async || world.names_of(user).await == ["a", "b"]).await;
    world.agrees().await;
    world.stop().await;
}

async fn a_mark_in_redis_without_an_effect_decides_nothing(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
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
