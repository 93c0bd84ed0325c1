//! What clusters of brokers do to events: brokers that die, all of them at once, and brokers that ask who is there.

use common_events::{
    KafkaConfig,
    security::KafkaSecurity,
    testing::redis,
    topics::{self, Change, Partitions},
};
use common_utils::ids;
use uuid::Uuid;

use crate::{
    brokers::Cluster,
    world::{World, count, until},
};

const USERS: usize = 25;
const ROUNDS: usize = 12;

/// With one broker away, a topic would be made with fewer copies than it is to have, for good.
async fn topics_wait_for_all_brokers(cluster: &Cluster, config: &KafkaConfig) {
    cluster.kill(3);
    let other = KafkaConfig { prefix: format!("{}less-", config.prefix), ..config.clone() };
    until("a refusal", async || topics::apply(&other, Partitions::AsTheyAre).await.is_err()).await;
    cluster.revive();
    until("its end", async || topics::apply(&other, Partitions::AsTheyAre).await.is_ok()).await;
    assert_eq!(topics::differences(&other).await.unwrap(), []);
}

/// A load that goes on while something happens to the brokers in the middle of it; then every event took effect, once and in
/// the order of its person.
async fn nothing_is_lost(cluster: &Cluster, happens: impl AsyncFnOnce(&World)) {
    let world = World::new(cluster.config().await).await;
    world.relay();
    world.consumer(&redis());
    world.consumer(&redis());
    let users: Vec<Uuid> = (0..USERS).map(|_| ids::new_id()).collect();
    let all: Vec<String> = (0..ROUNDS * 4).map(|number| number.to_string()).collect();
    let mut happens = Some(happens);
    for (round, names) in all.chunks(4).enumerate() {
        for user in &users {
            world.register(*user, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        }
        if round == ROUNDS / 3 {
            // Some have arrived, some are on their way.
            let some = async || count(&world.db.pool, "SELECT count(*) FROM names").await > 0;
            until("the first effects", some).await;
            if let Some(happens) = happens.take() {
                happens(&world).await;
            }
        }
    }
    let wanted = i64::try_from(users.len() * all.len()).unwrap();
    until("all effects", async || count(&world.db.pool, "SELECT count(*) FROM names").await >= wanted).await;
    for user in &users {
        assert_eq!(world.names_of(*user).await, all);
    }
    until("all marked", async || world.unpublished().await == 0).await;
    let inbox = count(&world.db.pool, "SELECT count(*) FROM inbox").await;
    let outbox = count(&world.db.pool, "SELECT count(*) FROM outbox").await;
    assert_eq!((inbox, outbox), (wanted, wanted));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_die_and_come_back() {
    let cluster = Cluster::start(3, &[]);
    let config = cluster.config().await;
    topics_are_kept_three_times(&config).await;
    topics_wait_for_all_brokers(&cluster, &config).await;
    // Each is the leader of a third of the partitions, and one of them of the cluster.
    for node in 1..=3 {
        nothing_is_lost(&cluster, async |_| cluster.kill(node)).await;
        cluster.revive();
    }
    nothing_is_lost(&cluster, async |world| {
        for node in 1..=3 {
            cluster.kill(node);
        }
        world.register(ids::new_id(), &[]).await;
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
    nothing_is_lost(&cluster, async |_| {}).await;
    let stranger = KafkaConfig { security: KafkaSecurity::default(), ..cluster.config().await };
    assert!(topics::differences(&stranger).await.is_err());
}
