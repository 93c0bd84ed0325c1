//! Dead letters: collected from Kafka, looked at, put back once, discarded for a reason.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use common_auth::Role;
use common_db::PgPool;
use common_events::{KafkaConfig, testing::kafka};
use common_utils::{clock::SystemClock, ids};
use rdkafka::{
    ClientConfig, Message,
    consumer::{Consumer as _, StreamConsumer},
    message::{Header, Headers, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    events::{Running, actions},
    world::{Caller, World, eventually},
};

const LETTERS: &str = "/api/v1/admin/dead-letters";
const TOPIC: &str = "wallet-events";

/// A message as a consumer sets it aside.
struct SetAside {
    key: Vec<u8>,
    payload: Vec<u8>,
    offset: i64,
}

impl SetAside {
    fn event(id: Uuid, offset: i64) -> Self {
        let event = json!({
            "specversion": "1.0", "id": id, "source": "/wallet-service", "type": "wallet.painted", "subject": "wallet/w-1",
            "time": "2026-11-01T10:00:00Z", "datacontenttype": "application/json",
            "dataschema": "/schemas/wallet.painted.v1.json", "correlationid": "c-1", "actor": "service:test", "data": {},
        });
        Self { key: b"w-1".to_vec(), payload: event.to_string().into_bytes(), offset }
    }

    fn garbage(offset: i64) -> Self {
        Self { key: b"\xff\0".to_vec(), payload: b"\xff\0garbage".to_vec(), offset }
    }

    async fn send(&self, kafka: &KafkaConfig, group: &str) {
        self.send_with(kafka, group, &[]).await;
    }

    /// With other words in some of the headers.
    async fn send_with(&self, kafka: &KafkaConfig, group: &str, other: &[(&str, &str)]) {
        let producer: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", &kafka.brokers).create().unwrap();
        let offset = self.offset.to_string();
        let headers = [
            ("content-type", "application/cloudevents+json"),
            ("dlq-topic", TOPIC),
            ("dlq-partition", "3"),
            ("dlq-offset", &offset),
            ("dlq-group", group),
            ("dlq-error", "cannot stand\0 it"),
            ("dlq-causes", "it is poison\nof the worst kind"),
            ("dlq-attempts", "5"),
            ("dlq-time", "2026-11-01T10:00:01.000000Z"),
        ];
        let headers = headers.into_iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            let value = other.iter().find(|(name, _)| *name == key).map_or(value, |(_, value)| value);
            headers.insert(Header { key, value: Some(value) })
        });
        let topic = kafka.prefixed(&format!("dlq.{TOPIC}"));
        let record = FutureRecord::to(&topic).key(&self.key).payload(&self.payload).headers(headers);
        producer.send(record, Duration::from_secs(20)).await.unwrap();
    }
}

/// What was put back: key, payload, and the names of its headers.
async fn put_back(kafka: &KafkaConfig, how_many: usize) -> Vec<(Vec<u8>, Vec<u8>, Vec<String>)> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", &kafka.brokers)
        .set("group.id", kafka.prefixed("reader"))
        .set("auto.offset.reset", "earliest")
        .create()
        .unwrap();
    consumer.subscribe(&[&kafka.prefixed(TOPIC)]).unwrap();
    let mut found = Vec::new();
    while found.len() < how_many {
        let message = tokio::time::timeout(Duration::from_mins(1), consumer.recv())
            .await
            .expect("a message that was put back")
            .unwrap();
        let headers = message.headers().unwrap().iter().map(|header| header.key.to_owned()).collect();
        found.push((message.key().unwrap().to_vec(), message.payload().unwrap().to_vec(), headers));
    }
    found
}

async fn list(world: &World, by: &Caller, query: &str) -> Vec<Value> {
    let page = world.get(by, &format!("{LETTERS}?limit=100&{query}")).await.expect(200);
    page.body["items"].as_array().unwrap().clone()
}

async fn arrived(world: &World, by: &Caller, letters: usize) -> Vec<Value> {
    eventually("the letters", async || {
        let all = list(world, by, "").await;
        (all.len() == letters).then_some(all)
    })
    .await
}

async fn stored(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM dead_letters").fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_is_collected_once_and_shown_as_it_came() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let admin = world.person(Role::Admin);
    let event = ids::new_id();
    let (good, garbage) = (SetAside::event(event, 7), SetAside::garbage(8));
    good.send(&kafka, "wallet-service").await;
    // As a consumer does that died before it stored its offset; the same message of another group is another letter.
    good.send(&kafka, "wallet-service").await;
    good.send(&kafka, "transaction-service").await;
    garbage.send(&kafka, "wallet-service").await;
    arrived(&world, &admin, 3).await;
    assert_eq!(stored(&world.db.pool).await, 3);

    let found = list(&world, &admin, &format!("eventId={event}&group=wallet-service")).await;
    let letter = &found[0];
    let told =
        ["status", "topic", "partition", "offset", "group", "error", "causes", "attempts", "eventType"];
    assert_eq!(
        told.map(|name| letter[name].clone()),
        [
            json!("open"),
            json!(TOPIC),
            json!(3),
            json!(7),
            json!("wallet-service"),
            json!("cannot stand\u{fffd} it"),
            json!(["it is poison", "of the worst kind"]),
            json!(5),
            json!("wallet.painted"),
        ]
    );
    let whole = world.get(&admin, &format!("{LETTERS}/{}", letter["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(whole.body["payload"], json!(String::from_utf8(good.payload.clone()).unwrap()));
    let headers = json!([{ "name": "content-type", "value": "application/cloudevents+json" }]);
    assert_eq!(whole.body["headers"], headers);
    let found: Vec<Value> =
        list(&world, &admin, "").await.into_iter().filter(|letter| letter["eventId"].is_null()).collect();
    let whole =
        world.get(&admin, &format!("{LETTERS}/{}", found[0]["id"].as_str().unwrap())).await.expect(200);
    assert_eq!(whole.body["payload"], Value::Null);
    assert_eq!(whole.body["payloadBase64"], json!(STANDARD.encode(&garbage.payload)));
    assert_eq!(whole.body["key"], json!(STANDARD.encode(&garbage.key)));
    for (query, letters) in [
        ("status=open", 3),
        ("status=replayed", 0),
        ("topic=wallet-events", 3),
        ("topic=user-events", 0),
        ("eventType=wallet.painted", 2),
    ] {
        assert_eq!(list(&world, &admin, query).await.len(), letters, "{query}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_goes_back_as_it_came_and_that_is_in_the_audit_log() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let admin = world.person(Role::Admin);
    let messages = [SetAside::event(ids::new_id(), 1), SetAside::garbage(2)];
    for message in &messages {
        message.send(&kafka, "wallet-service").await;
    }
    for letter in arrived(&world, &admin, 2).await {
        let path = format!("{LETTERS}/{}/replay", letter["id"].as_str().unwrap());
        // Asking again is safe.
        for _ in 0..2 {
            world.post(&admin, &path, json!({})).await.expect(202);
        }
    }
    let mut found = put_back(&kafka, 2).await;
    found.sort_by_key(|(_, payload, _)| payload.len());
    for (message, (key, payload, headers)) in messages.iter().rev().zip(&found) {
        assert_eq!((&message.key, &message.payload), (key, payload));
        assert_eq!(headers, &["content-type"]);
    }
    let replayed = async || list(&world, &admin, "status=replayed").await.len() == 2;
    eventually("both marked", async || replayed().await.then_some(())).await;
    let told = eventually("two entries", async || {
        let entries = actions(&world, "action=admin.dead_letter.replayed").await;
        (entries.len() == 2).then_some(entries)
    })
    .await;
    for entry in told {
        assert_eq!(entry["actor"], json!({ "type": "staff", "id": admin.id }));
        assert_eq!(entry["details"]["topic"], TOPIC);
        assert_eq!(entry["details"]["redacted"], Value::Null);
    }
    // The garbage was taken off its topic again by this very service, and set aside as a letter of its own.
    eventually("the new letter", async || (stored(&world.db.pool).await >= 3).then_some(())).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_go_back_by_one_call_and_in_their_order() {
    let (world, kafka) = (World::new().await, kafka().await);
    let admin = world.person(Role::Admin);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let events: Vec<Uuid> = (0..30).map(|_| ids::new_id()).collect();
    // They arrive the other way round.
    for (place, event) in events.iter().enumerate().rev() {
        SetAside::event(*event, i64::try_from(place).unwrap()).send(&kafka, "wallet-service").await;
    }
    arrived(&world, &admin, 30).await;
    let none = world.post(&admin, &format!("{LETTERS}/replay"), json!({ "topic": "user-events" })).await;
    assert_eq!(none.expect(202).body, json!({ "replaying": 0 }));
    let all = world.post(&admin, &format!("{LETTERS}/replay"), json!({ "topic": TOPIC })).await;
    assert_eq!(all.expect(202).body, json!({ "replaying": 30 }));
    let order: Vec<Uuid> = put_back(&kafka, 30)
        .await
        .into_iter()
        .map(|(_, payload, _)| {
            let event: Value = serde_json::from_slice(&payload).unwrap();
            event["id"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(order, events);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_discarded_letter_stays_where_it_is() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let admin = world.person(Role::Admin);
    SetAside::event(ids::new_id(), 1).send(&kafka, "wallet-service").await;
    let letter = arrived(&world, &admin, 1).await.remove(0);
    let path = format!("{LETTERS}/{}", letter["id"].as_str().unwrap());
    let answer = world.post(&admin, &format!("{path}/discard"), json!({})).await;
    assert_eq!(answer.refusal(), (422, "validation_failed", vec!["reason"]));
    for _ in 0..2 {
        let reason = json!({ "reason": "A test of ours" });
        let answer = world.post(&admin, &format!("{path}/discard"), reason).await.expect(200);
        assert_eq!(
            (&answer.body["status"], &answer.body["reason"]),
            (&json!("discarded"), &json!("A test of ours"))
        );
    }
    let answer = world.post(&admin, &format!("{path}/replay"), json!({})).await;
    assert_eq!(answer.refusal(), (409, "dead_letter_discarded", vec![]));
    let all = world.post(&admin, &format!("{LETTERS}/replay"), json!({ "topic": TOPIC })).await;
    assert_eq!(all.expect(202).body, json!({ "replaying": 0 }));
    let entry =
        eventually("its entry", async || actions(&world, "action=admin.dead_letter.discarded").await.pop());
    assert_eq!(entry.await["details"]["reason"], "A test of ours");
    service.stop().await;
}

#[tokio::test]
async fn a_letter_is_not_edited_even_by_the_service() {
    let world = World::new().await;
    for column in ["payload", "key", "headers", "topic"] {
        let edit = sqlx::AssertSqlSafe(format!("UPDATE dead_letters SET {column} = {column}"));
        let error = sqlx::query(edit).execute(&world.db.pool).await.unwrap_err();
        assert_eq!(common_db::constraint::violated(&error), Some("dead_letters_unedited"), "{column}");
    }
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_named() {
    let world = World::new().await;
    let admin = world.person(Role::Admin);
    for (query, field) in [
        ("status=lost", "status"),
        ("eventId=7", "eventId"),
        ("limit=0", "limit"),
        ("topic=%00", "topic"),
        ("cursor=x", "cursor"),
    ] {
        let answer = world.get(&admin, &format!("{LETTERS}?{query}")).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field]), "{query}");
    }
    for (body, field) in
        [(json!({}), "ids"), (json!({ "ids": [] }), "ids"), (json!({ "group": "" }), "group")]
    {
        let answer = world.post(&admin, &format!("{LETTERS}/replay"), body).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_that_a_stranger_wrote_keeps_no_other_from_arriving() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let admin = world.person(Role::Admin);
    let long = "x".repeat(5_000);
    for (offset, other) in (1..).zip([
        ("dlq-group", long.as_str()),
        ("dlq-time", "-100000-01-01T00:00:00Z"),
        ("dlq-offset", "many"),
    ]) {
        SetAside::garbage(offset).send_with(&kafka, "wallet-service", &[other]).await;
    }
    SetAside::event(ids::new_id(), 9).send(&kafka, "wallet-service").await;
    let letters = arrived(&world, &admin, 4).await;
    assert!(letters.iter().all(|letter| letter["group"].as_str().unwrap().len() <= 200));
    assert!(letters.iter().all(|letter| letter["setAsideAt"].as_str().unwrap().starts_with("20")));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_tried_goes_back_only_by_its_name() {
    let (world, kafka) = (World::new().await, kafka().await);
    let service = Running::start(&world, SystemClock::shared(), &kafka).await;
    let admin = world.person(Role::Admin);
    let untried = [("dlq-attempts", "0")];
    SetAside::event(ids::new_id(), 1).send_with(&kafka, "wallet-service", &untried).await;
    let letter = arrived(&world, &admin, 1).await.remove(0);
    let path = format!("{LETTERS}/replay");
    let all = world.post(&admin, &path, json!({ "topic": TOPIC })).await.expect(202);
    assert_eq!(all.body, json!({ "replaying": 0 }));
    let named = world.post(&admin, &path, json!({ "ids": [letter["id"]] })).await.expect(202);
    assert_eq!(named.body, json!({ "replaying": 1 }));
    assert_eq!(put_back(&kafka, 1).await.len(), 1);
    service.stop().await;
}
