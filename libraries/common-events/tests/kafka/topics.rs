//! Topics on a broker that has them otherwise.

use common_events::{
    KafkaConfig,
    testing::kafka,
    topics::{self, Change, Partitions},
};
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
};

/// The deployment `other` has one topic, with more of something than is declared, with less, and with something of an operator's.
async fn made_otherwise(kafka: &KafkaConfig) -> KafkaConfig {
    let other = KafkaConfig { prefix: format!("{}other-", kafka.prefix), ..kafka.clone() };
    let admin: AdminClient<DefaultClientContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
    let name = other.prefixed("user-events");
    let topic = NewTopic::new(&name, 4, TopicReplication::Fixed(1))
        .set("max.message.bytes", "20000000")
        .set("retention.ms", "1000")
        .set("segment.ms", "3600000");
    for result in admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap() {
        result.unwrap();
    }
    other
}

fn about_users(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).filter(|line| line.contains(" user-events")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_less_grows_and_nothing_is_made_less() {
    let other = made_otherwise(&kafka().await).await;
    let refused = [
        "! user-events: has 4 partitions and not 10; keys would move: see --add-partitions",
        "! user-events: max.message.bytes is 20000000; 10551296 would be less",
    ];
    let done = about_users(&topics::apply(&other, Partitions::AsTheyAre).await.unwrap());
    assert!(refused.iter().all(|line| done.iter().any(|told| told == line)), "{done:#?}");
    assert!(done.iter().any(|line| line == "~ user-events: retention.ms 1000 → -1"), "{done:#?}");
    // What grew is as it should be, what was refused is as it was.
    assert_eq!(about_users(&topics::differences(&other).await.unwrap()), refused);
    let grown = about_users(&topics::apply(&other, Partitions::MayGrow).await.unwrap());
    assert_eq!(grown[0], "~ user-events: 4 partitions → 10");
    let left = topics::differences(&other).await.unwrap();
    assert_eq!(about_users(&left), refused[1..]);
    assert_eq!(left.len(), 1);
}
