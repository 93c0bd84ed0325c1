//! What clusters of brokers do to events: brokers that die, all of them at once, clients that die, and brokers that ask who is there.

use common_events::{
    KafkaConfig,
    security::KafkaSecurity,
    testing::redis,
    topics::{self, Change, Partitions},
};

use crate::{
    brokers::Cluster,
    load::Load,
    proofs,
    world::{World, until},
};

/// With one broker away, a topic would be made with fewer copies than it is to have, for good.
async fn topics_wait_for_all_brokers(cluster: &Cluster, config: &KafkaConfig) {
    cluster.kill(3);
    let other = KafkaConfig { prefix: format!("{}less-", config.prefix), ..config.clone() };
    until("a refusal", async || topics::apply(&other, Partitions::AsTheyAre).await.is_err()).await;
    cluster.revive();
    until("its end", async || topics::apply(&other, Partitions::AsTheyAre).await.is_ok()).await;
    assert_eq!(topics::differences(&other).await.unwrap(), []);
}

/// A load that goes on while something happens to the brokers, and behind it; then all tables agree.
async fn nothing_is_lost(cluster: &Cluster, happens: impl AsyncFnOnce()) {
    let world = World::new(cluster.config().await).await;
    world.relay();
    world.consumer(&redis());
    world.consumer(&redis());
    let load = Load::start(&world);
    world.more_effects(100).await;
    happens().await;
    // Also while one of three is away.
    world.more_effects(200).await;
    load.finish().await;
    world.agrees().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_on_three_brokers_nothing_is_lost_and_nothing_takes_effect_twice() {
    let cluster = Cluster::start(3, &[]);
    let config = cluster.config().await;
    topics_are_kept_three_times(&config).await;
    topics_wait_for_all_brokers(&cluster, &config).await;
    // Beside each other: mostly they wait.
    tokio::join!(
        proofs::consumers_die_between_effect_and_offset(cluster.config().await),
        proofs::relays_die_between_publishing_and_marking(cluster.config().await),
        proofs::the_leader_loses_its_connection(cluster.config().await),
        proofs::members_come_and_go(cluster.config().await),
        proofs::redis_is_flushed(cluster.config().await),
    );
    // Each is the leader of a third of the partitions, and one of them of the cluster.
    for node in 1..=3 {
        nothing_is_lost(&cluster, async || cluster.kill(node)).await;
        cluster.revive();
    }
    nothing_is_lost(&cluster, async || {
        for node in 1..=3 {
            cluster.kill(node);
        }
        cluster.revive();
    })
    .await;
}

async fn topics_are_kept_three_times(config: &KafkaConfig) {
    assert_eq!(topics::differences(config).await.unwrap(), []);
    let other = KafkaConfig { prefix: format!("{}other-", config.prefix), ..config.clone() };
    let missing = topics::differences(&other).await.unwrap();
    assert_eq!(missing.len(), 10);
    assert!(missing.iter().all(|change| matches!(change, Change::Create { copies: 3, .. })), "{missing:?}");
    // Looking changed nothing; applying makes them, and has nothing left to do then.
    assert_eq!(topics::apply(&other, Partitions::AsTheyAre).await.unwrap(), missing);
    // Each broker learns of them in its own time.
    until("all brokers to know", async || topics::differences(&other).await.unwrap().is_empty()).await;
    assert_eq!(topics::apply(&other, Partitions::AsTheyAre).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_ask_for_a_login_get_it() {
    let cluster = Cluster::start(1, &["--secure"]);
    nothing_is_lost(&cluster, async || {}).await;
    let stranger = KafkaConfig { security: KafkaSecurity::default(), ..cluster.config().await };
    assert!(topics::differences(&stranger).await.is_err());
}
