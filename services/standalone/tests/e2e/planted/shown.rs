//! That the search finds: everything that the journey has planted is planted once more, in a place of each kind, as it is or
//! written otherwise.

use std::{io::Write, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use rdkafka::{
    ClientConfig,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use serde_json::json;

use super::{
    places::{connect, look_everywhere, redis_connection},
    search::Search,
    secrets::Planted,
};
use crate::deployment::Deployment;

/// Where nothing has been before.
const PLACES: [&str; 10] = [
    "log of wallet-service",
    "key in planted",
    "message in planted",
    "header in planted",
    "wallet.planted.written",
    "wallet.planted.document",
    "wallet.planted.bytes",
    "wallet.planted.list",
    "redis, keys",
    "redis, values",
];

pub(crate) async fn everything_is_found_where_it_is_planted(platform: &Deployment, planted: &Planted) {
    let values: Vec<&str> = planted.all().map(|(_, value)| value).collect();
    into_a_log(platform, &values);
    into_a_topic(platform, &values).await;
    into_a_table(platform, &values).await;
    into_redis(platform, &values).await;

    let mut search = Search::new(planted);
    look_everywhere(platform, &mut search).await;
    for (what, _) in planted.all() {
        for place in PLACES {
            assert!(search.found.contains_key(&(place.to_owned(), what)), "{what:?} is not found in {place}");
        }
    }
}

/// In the midst of something longer that was encoded as a whole.
fn in_base64(value: &str) -> String {
    STANDARD.encode(format!("it is {value} here"))
}

fn into_a_log(platform: &Deployment, values: &[&str]) {
    let mut log = std::fs::File::options().append(true).open(platform.log("wallet-service")).unwrap();
    writeln!(log, "{}", values.join("\n")).unwrap();
}

/// A topic of its own, which nobody reads.
async fn into_a_topic(platform: &Deployment, values: &[&str]) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", platform.value("KAFKA_BROKERS"));
    let topic = format!("{}planted", platform.value("KAFKA_PREFIX"));
    let admin: AdminClient<_> = config.create().unwrap();
    let new = NewTopic::new(&topic, 2, TopicReplication::Fixed(1));
    admin.create_topics([&new], &AdminOptions::new()).await.unwrap()[0].as_ref().unwrap();
    let producer: FutureProducer = config.create().unwrap();
    for value in values {
        let header = Header { key: "planted", value: Some(&hex::encode_upper(value)) };
        let message = in_base64(value);
        let record = FutureRecord::to(&topic)
            .key(*value)
            .payload(&message)
            .headers(OwnedHeaders::new().insert(header));
        producer.send(record, Duration::from_secs(30)).await.unwrap();
    }
}

async fn into_a_table(platform: &Deployment, values: &[&str]) {
    let mut connection = connect(platform, "wallet").await;
    let table = "CREATE TABLE planted (written text, document jsonb, bytes bytea, list text[])";
    sqlx::query(table).execute(&mut connection).await.unwrap();
    for value in values {
        sqlx::query("INSERT INTO planted VALUES ($1, $2, $3, ARRAY['', $4])")
            .bind(value)
            .bind(json!({ "planted": [value] }))
            .bind([b"\xff\x00", value.as_bytes(), b"\x00"].concat())
            .bind(in_base64(value))
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

/// Gone by themselves soon: other tests use the same server.
async fn into_redis(platform: &Deployment, values: &[&str]) {
    let mut connection = redis_connection(platform).await;
    for value in values {
        let mut set = redis::cmd("SET");
        set.arg(format!("planted:{value}")).arg(hex::encode(value)).arg("EX").arg(60);
        set.exec_async(&mut connection).await.unwrap();
    }
}
