//! Several members of one group, and several relays of one database.

use std::time::Duration;

use common_events::{
    KafkaConfig,
    testing::{kafka, redis},
    workers::Workers,
};
use common_utils::ids;
use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::world::{World, count, until};

on_both_brokers! {
    members_come_and_go_in_the_middle_and_each_event_takes_effect_once_and_in_order
    another_relay_takes_over_when_the_leader_loses_its_connection
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

async fn register(world: &World, user: Uuid, names: &[String]) {
    world.register(user, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

/// How many members the group has; None while it is being rebalanced.
pub(crate) fn settled_members(world: &World) -> Option<usize> {
    let client: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &world.kafka.brokers).create().unwrap();
    let group = world.kafka.prefixed("names");
    let found = client.fetch_group_list(Some(&group), Duration::from_secs(10)).ok()?;
    let group = found.groups().iter().find(|known| known.name() == group)?;
    (group.state() == "Stable").then(|| group.members().len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_takes_long_holds_up_no_rebalance() {
    let world = World::new(kafka().await).await;
    world.relay();
    world.consumer(&redis());
    let slow = ids::new_id();
    world.register(slow, &["slow"]).await;
    until("the slow one at work", async || world.names.gate.waiting() == 1).await;
    // The first member does not come back before the gate is opened.
    let second = Workers::new(&CancellationToken::new());
    world.consumer_in(&second, &redis());
    until("the second member", async || settled_members(&world) == Some(2)).await;
    assert_eq!(world.names.gate.waiting(), 1);
    world.names.gate.open();
    until("its effect", async || world.names_of(slow).await == ["slow"]).await;
    // What the second one had goes back to the first, for which it was paused when it left.
    second.drained().await;
    until("the first alone", async || settled_members(&world) == Some(1)).await;
    let others: Vec<Uuid> = (0..40).map(|_| ids::new_id()).collect();
    for user in &others {
        world.register(*user, &["quick"]).await;
    }
    let effects = async || count(&world.db.pool, "SELECT count(*) FROM names").await;
    until("those of all partitions", async || effects().await == 41).await;
    world.stop().await;
}

async fn members_come_and_go_in_the_middle_and_each_event_takes_effect_once_and_in_order(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let users: Vec<Uuid> = (0..20).map(|_| ids::new_id()).collect();
    let all = names(60);
    let quarter = |place: usize| all.chunks(15).nth(place).unwrap();
    let mut passing: Option<Workers> = None;
    for place in 0..4 {
        for user in &users {
            register(&world, *user, quarter(place)).await;
        }
        // The one before goes while its successor comes.
        let next = Workers::new(&CancellationToken::new());
        world.consumer_in(&next, &redis());
        if let Some(gone) = passing.replace(next) {
            gone.drained().await;
        }
        let so_far = i64::try_from(users.len() * 15 * place).unwrap();
        let effects = async || count(&world.db.pool, "SELECT count(*) FROM names").await;
        until("those of before", async || effects().await > so_far).await;
    }
    for user in &users {
        until("all of one", async || world.names_of(*user).await.len() >= all.len()).await;
        assert_eq!(world.names_of(*user).await, all);
    }
    passing.unwrap().drained().await;
    world.stop().await;
}

async fn another_relay_takes_over_when_the_leader_loses_its_connection(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    let all = names(300);
    for chunk in all.chunks(50) {
        register(&world, user, chunk).await;
        world.take_the_leaders_connection().await;
    }
    until("all", async || world.names_of(user).await.len() >= all.len()).await;
    assert_eq!(world.names_of(user).await, all);
    until("all marked", async || world.unpublished().await == 0).await;
    world.stop().await;
}
