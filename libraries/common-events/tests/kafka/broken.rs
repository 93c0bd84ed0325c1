//! Messages that cannot be handled: each has its end, and those behind it get through.

use std::time::Duration;

use common_events::{
    Event, KafkaConfig,
    contracts::{EventData, UserRegistered},
    dlq::{Replay, Replayed, Replayer},
    testing::{kafka, no_kafka, redis},
};
use common_utils::ids;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    letters::{Letter, dead_letters},
    world::{World, count, until},
};

on_both_brokers! {
    poison_in_front_of_a_thousand_is_set_aside_and_takes_effect_once_when_it_is_mended
    what_is_no_event_is_set_aside_as_it_came
    an_id_that_comes_again_with_other_content_is_set_aside
    types_and_versions_that_it_does_not_know_leave_nothing_behind
    an_event_of_almost_ten_mebibytes_arrives
    a_message_that_fits_no_letter_leaves_one_that_says_where_it_lies
    an_event_from_a_clock_that_is_ahead_takes_effect
    a_handler_that_panics_stops_no_consumer
}

/// An event as it lies in the outbox.
async fn written(world: &World, name: &str) -> (Uuid, Value) {
    let user = ids::new_id();
    world.register(user, &[name]).await;
    let newest = "SELECT payload FROM outbox ORDER BY position DESC LIMIT 1";
    let payload: String = sqlx::query_scalar(newest).fetch_one(&world.db.pool).await.unwrap();
    (user, serde_json::from_str(&payload).unwrap())
}

async fn poison_in_front_of_a_thousand_is_set_aside_and_takes_effect_once_when_it_is_mended(
    kafka: KafkaConfig,
) {
    let world = World::new(kafka.clone()).await;
    let user = ids::new_id();
    let good: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let names: Vec<&str> = std::iter::once("poison").chain(good.iter().map(String::as_str)).collect();
    world.register(user, &names).await;
    world.relay();
    world.consumer(&redis());
    until("the good ones", async || world.names_of(user).await == good).await;
    let letters = dead_letters(&kafka, 1).await;
    let event: Event = serde_json::from_slice(&letters[0].bytes).expect("the original event");
    assert_eq!(event.kind, UserRegistered::TYPE);
    let told = |name: &str| letters[0].headers[name].as_str();
    assert_eq!((told("dlq-error"), told("dlq-causes")), ("cannot stand it", "it is poison"));
    assert_eq!((told("dlq-topic"), told("dlq-group"), told("dlq-attempts")), ("user-events", "names", "5"));
    assert_eq!(told("content-type"), "application/cloudevents+json");

    world.names.mend();
    for _ in 0..2 {
        put_back(&kafka, &letters[0]).await;
    }
    let mut names = good;
    names.extend(["poison", "behind"].map(str::to_owned));
    world.register(user, &["behind"]).await;
    until("what was poison, once", async || world.names_of(user).await == names).await;
    assert_eq!(count(&world.db.pool, "SELECT count(*) FROM inbox").await, 1002);
    world.stop().await;
}

async fn put_back(kafka: &KafkaConfig, letter: &Letter) {
    let replay = Replay {
        topic: letter.headers["dlq-topic"].clone(),
        key: letter.key.clone(),
        payload: letter.bytes.clone(),
        headers: Vec::new(),
    };
    let results = Replayer::new(kafka).unwrap().publish(&[replay], Duration::from_secs(20)).await;
    assert!(matches!(results[..], [Replayed::Taken]), "{results:?}");
}

#[tokio::test]
async fn what_kafka_does_not_answer_in_time_is_told_from_what_it_took() {
    let replay = |topic: &str| Replay {
        topic: topic.to_owned(),
        key: None,
        payload: b"{}".to_vec(),
        headers: Vec::new(),
    };
    let replays = [replay("user-events"), replay("user-events")];
    let gone = Replayer::new(&no_kafka()).unwrap().publish(&replays, Duration::from_millis(50)).await;
    assert!(matches!(gone[..], [Replayed::Unanswered, Replayed::Unanswered]), "{gone:?}");
    let there = Replayer::new(&kafka().await).unwrap().publish(&replays, Duration::from_secs(20)).await;
    assert!(matches!(there[..], [Replayed::Taken, Replayed::Taken]), "{there:?}");
}

async fn what_is_no_event_is_set_aside_as_it_came(kafka: KafkaConfig) {
    let world = World::new(kafka.clone()).await;
    let (user, event) = written(&world, "good").await;
    let right = user.to_string();
    let key = Some(right.as_str());
    let bytes = |event: &Value| serde_json::to_vec(event).unwrap();
    let other_specification = json!({ "specversion": "0.3" });
    let mut sent: Vec<(Option<&str>, Vec<u8>, &str)> = vec![
        (Some("k"), b"{garbage".to_vec(), "not an event"),
        (Some("k"), vec![0xff; 64], "not an event"),
        (Some("k"), b"".to_vec(), "not an event"),
        (key, bytes(&other_specification), "not an event"),
        (Some("somebody else"), bytes(&event), "its key is"),
        (None, bytes(&event), "its key is"),
    ];
    for (key, payload, _) in &sent {
        world.send(*key, payload).await;
    }
    world.relay();
    world.consumer(&redis());
    until("the good one", async || world.names_of(user).await == ["good"]).await;
    let letters = dead_letters(&kafka, sent.len()).await;
    for letter in letters {
        let place = sent
            .iter()
            .position(|(_, payload, error)| *payload == letter.bytes && letter.error().starts_with(error));
        sent.remove(place.unwrap_or_else(|| panic!("{}: {:?}", letter.error(), letter.bytes)));
        assert_eq!(letter.headers["dlq-attempts"], "0");
    }
    world.stop().await;
}

async fn an_id_that_comes_again_with_other_content_is_set_aside(kafka: KafkaConfig) {
    let world = World::new(kafka.clone()).await;
    world.relay();
    world.consumer(&redis());
    let (user, mut event) = written(&world, "first").await;
    until("the first", async || world.names_of(user).await == ["first"]).await;
    event["data"]["firstName"] = json!("second");
    let forged = serde_json::to_vec(&event).unwrap();
    world.send(Some(&user.to_string()), &forged).await;
    world.register(user, &["behind"]).await;
    until("the one behind it", async || world.names_of(user).await == ["first", "behind"]).await;
    let letters = dead_letters(&kafka, 1).await;
    assert_eq!(letters[0].bytes, forged);
    assert!(letters[0].error().starts_with("an event of other content"), "{}", letters[0].error());
    world.stop().await;
}

async fn types_and_versions_that_it_does_not_know_leave_nothing_behind(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    let (user, event) = written(&world, "good").await;
    let changed = |name: &str, value: &str| {
        let mut event = event.clone();
        event["id"] = json!(ids::new_id());
        event[name] = json!(value);
        serde_json::to_vec(&event).unwrap()
    };
    let key = user.to_string();
    world.send(Some(&key), &changed("type", "identity.user.beamed_up")).await;
    world.send(Some(&key), &changed("dataschema", "/schemas/identity.user.registered.v2.json")).await;
    world.relay();
    world.consumer(&redis());
    until("the good one", async || world.names_of(user).await == ["good"]).await;
    assert_eq!(count(&world.db.pool, "SELECT count(*) FROM inbox").await, 1);
    world.stop().await;
}

async fn an_event_of_almost_ten_mebibytes_arrives(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    let long = "x".repeat(10 * 1024 * 1024 - 2048);
    world.register(user, &["before", &long, "behind"]).await;
    until("the long one", async || world.names_of(user).await.len() == 3).await;
    assert_eq!(world.names_of(user).await[1].len(), long.len());
    world.stop().await;
}

async fn a_message_that_fits_no_letter_leaves_one_that_says_where_it_lies(kafka: KafkaConfig) {
    let world = World::new(kafka.clone()).await;
    world.relay();
    world.consumer(&redis());
    // It fits its topic because it is compressed on the way.
    world.send(Some("k"), "x".repeat(20 * 1024 * 1024).as_bytes()).await;
    let user = ids::new_id();
    world.register(user, &["behind"]).await;
    until("the one behind it", async || world.names_of(user).await == ["behind"]).await;
    let letters = dead_letters(&kafka, 1).await;
    assert!(letters[0].bytes.is_empty());
    let told = |name: &str| letters[0].headers[name].as_str();
    assert_eq!((told("dlq-left-out"), told("dlq-offset")), ("20971520", "0"));
    assert!(letters[0].error().starts_with("not an event"), "{}", letters[0].error());
    world.stop().await;
}

async fn an_event_from_a_clock_that_is_ahead_takes_effect(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    let (user, mut event) = written(&world, "on time").await;
    event["time"] = json!("2999-01-01T00:00:00Z");
    event["id"] = json!(ids::new_id());
    event["data"]["firstName"] = json!("early");
    world.send(Some(&user.to_string()), &serde_json::to_vec(&event).unwrap()).await;
    world.relay();
    world.consumer(&redis());
    until("both", async || world.names_of(user).await.len() == 2).await;
    world.stop().await;
}

async fn a_handler_that_panics_stops_no_consumer(kafka: KafkaConfig) {
    let world = World::new(kafka).await;
    world.relay();
    world.consumer(&redis());
    let user = ids::new_id();
    world.register(user, &["panic", "good"]).await;
    until("the good one", async || world.names_of(user).await == ["good"]).await;
    world.stop().await;
}
