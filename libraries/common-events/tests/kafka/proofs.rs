//! What happens to the clients of a cluster in the middle of a load, and to what they lean on. Each time all tables agree afterwards.

use std::time::Duration;

use common_events::{KafkaConfig, testing::redis, workers::Workers};
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio_util::sync::CancellationToken;

use crate::{
    load::Load,
    members::settled_members,
    own_redis::OwnRedis,
    process::Process,
    world::{World, count, until},
};

const EVENTS: &str = "SELECT count(*) FROM outbox";
/// Transactions of other processes that have stood still for longer than a stored offset waits to be committed.
const STANDING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'proof'
      AND state = 'idle in transaction' AND now() - state_change > interval '1500 ms'";

/// One dies before the commit of an effect, after a while, in which an offset that it had stored too early would go out; one
/// dies behind the commit, with its offset not stored.
pub(crate) async fn consumers_die_between_effect_and_offset(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    let consumer = |failpoint| Process::consumer(&world, &redis(), failpoint);
    let early = consumer("consumer.before_commit=2*off->1*sleep(60000)");
    let late = consumer("consumer.after_commit=2*off->1*return");
    until("both members", async || settled_members(&world) == Some(2)).await;
    let load = Load::start(&world);
    until("the death of one", async || late.crashed()).await;
    until("the other before its commit", async || count(&world.db.pool, STANDING).await > 0).await;
    early.kill();
    // Their group waits for them until their sessions are over.
    world.consumer(&redis());
    world.consumer(&redis());
    world.more_effects(200).await;
    load.finish().await;
    world.agrees().await;
    world.stop().await;
}

/// What they have published is not marked when they die, so the next one publishes it again.
pub(crate) async fn relays_die_between_publishing_and_marking(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.consumer(&redis());
    let load = Load::start(&world);
    for _ in 0..3 {
        let relay = Process::relay(&world, "relay.after_publish=3*off->1*return");
        until("its death", async || relay.crashed()).await;
    }
    world.relay();
    world.more_effects(200).await;
    load.finish().await;
    world.agrees().await;
    let (messages, events) = (messages(&world), count(&world.db.pool, EVENTS).await);
    assert!(messages > events, "{messages} messages of {events} events: nothing was published twice");
    world.stop().await;
}

/// The lock goes with the connection, and another relay leads.
pub(crate) async fn the_leader_loses_its_connection(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.relay();
    world.consumer(&redis());
    let load = Load::start(&world);
    for _ in 0..6 {
        world.more_effects(50).await;
        world.take_the_leaders_connection().await;
    }
    world.more_effects(50).await;
    load.finish().await;
    world.agrees().await;
    world.stop().await;
}

/// Partitions change hands while their messages are being taken in.
pub(crate) async fn members_come_and_go(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let load = Load::start(&world);
    let mut passing: Option<Workers> = None;
    for _ in 0..5 {
        let next = Workers::new(&CancellationToken::new());
        world.consumer_in(&next, &redis());
        if let Some(gone) = passing.replace(next) {
            gone.drained().await;
        }
        world.more_effects(100).await;
        until("the two that stay", async || settled_members(&world) == Some(2)).await;
    }
    load.finish().await;
    world.agrees().await;
    passing.unwrap().drained().await;
    world.stop().await;
}

/// It forgets what was seen, and all of that comes again.
pub(crate) async fn redis_is_flushed(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    let redis = OwnRedis::start().await;
    world.relay();
    world.consumer(redis.config());
    world.consumer(redis.config());
    let load = Load::start(&world);
    for _ in 0..5 {
        world.more_effects(100).await;
        until("marks", async || redis.keys().await > 0).await;
        redis.flush().await;
        world.publish_again().await;
    }
    load.finish().await;
    world.agrees().await;
    world.stop().await;
}

/// All that lie in the topic.
fn messages(world: &World) -> i64 {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &world.kafka.brokers).create().unwrap();
    let (topic, patience) = (world.kafka.prefixed("user-events"), Duration::from_secs(10));
    let metadata = client.fetch_metadata(Some(&topic), patience).unwrap();
    let ends = metadata.topics()[0].partitions().iter().map(|partition| {
        let (first, end) = client.fetch_watermarks(&topic, partition.id(), patience).unwrap();
        end - first
    });
    ends.sum()
}
