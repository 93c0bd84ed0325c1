//! Watching topics.

use std::time::Duration;

use common_events::{
    KafkaConfig,
    contracts::UserRegistered,
    tail::{Filter, Seen, Tail},
};
use common_utils::ids;

use crate::world::{World, until};

on_both_brokers! { what_was_and_what_comes_is_seen_through_a_filter }

async fn next(tail: &Tail) -> Seen {
    tokio::time::timeout(Duration::from_mins(1), tail.next()).await.expect("an event").unwrap()
}

fn name(seen: &Seen) -> String {
    let UserRegistered(user) = seen.event.as_ref().unwrap().data().unwrap().unwrap();
    user.first_name
}

async fn what_was_and_what_comes_is_seen_through_a_filter(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    let (ada, bola) = (ids::new_id(), ids::new_id());
    world.register(ada, &["a1", "a2"]).await;
    world.register(bola, &["b1"]).await;
    world.send(Some(&ada.to_string()), b"{garbage").await;

    let of_ada = Filter { key: Some(ada.to_string()), kind: Some("identity.*".to_owned()) };
    let past = Tail::start(&world.kafka, of_ada, true).await.unwrap();
    assert_eq!((name(&next(&past).await), name(&next(&past).await)), ("a1".to_owned(), "a2".to_owned()));

    until("all published", async || world.unpublished().await == 0).await;
    let future = Tail::start(&world.kafka, Filter::default(), false).await.unwrap();
    world.register(bola, &["b2"]).await;
    let seen = next(&future).await;
    assert_eq!((name(&seen), seen.topic.as_str()), ("b2".to_owned(), "user-events"));
    world.stop().await;
}
