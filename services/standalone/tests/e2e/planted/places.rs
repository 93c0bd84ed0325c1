//! Everything that the platform keeps or tells: logs, messages in Kafka, rows of the databases, Redis.

use std::time::Duration;

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::Headers,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::search::Search;
use crate::deployment::{Deployment, SERVICES};

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn look_everywhere(platform: &Deployment, search: &mut Search) {
    logs(platform, search);
    messages(platform, search);
    for service in SERVICES {
        rows(platform, service, search).await;
    }
    redis(platform, search).await;
}

fn logs(platform: &Deployment, search: &mut Search) {
    for program in platform.running() {
        search.look(&format!("log of {program}"), &std::fs::read(platform.log(&program)).unwrap());
    }
}

/// Every message of every topic of this deployment, from the first to the last that is there now.
fn messages(platform: &Deployment, search: &mut Search) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", platform.value("KAFKA_BROKERS"))
        .set("group.id", "planted")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let prefix = platform.value("KAFKA_PREFIX");
    let cluster = consumer.fetch_metadata(None, PATIENCE).unwrap();
    let mut list = TopicPartitionList::new();
    let mut left: i64 = 0;
    for topic in cluster.topics().iter().filter(|topic| topic.name().starts_with(prefix)) {
        for partition in topic.partitions() {
            let (first, end) = consumer.fetch_watermarks(topic.name(), partition.id(), PATIENCE).unwrap();
            left += end - first;
            list.add_partition_offset(topic.name(), partition.id(), Offset::Beginning).unwrap();
        }
    }
    consumer.assign(&list).unwrap();
    while left > 0 {
        let message = consumer.poll(PATIENCE).expect("a message that is there comes").unwrap();
        left -= 1;
        let topic = message.topic().strip_prefix(prefix).unwrap();
        search.look(&format!("key in {topic}"), message.key().unwrap_or_default());
        search.look(&format!("message in {topic}"), message.payload().unwrap_or_default());
        for header in message.headers().into_iter().flat_map(Headers::iter) {
            let place = format!("header in {topic}");
            search.look(&place, header.key.as_bytes());
            search.look(&place, header.value.unwrap_or_default());
        }
    }
}

/// Every column of every table. Bytes are looked at as they are, everything else as Postgres writes it.
async fn rows(platform: &Deployment, service: &str, search: &mut Search) {
    let mut connection = connect(platform, service).await;
    let columns = "SELECT table_schema::text, table_name::text, column_name::text, data_type::text
        FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
        WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')";
    let columns: Vec<(String, String, String, String)> =
        sqlx::query_as(columns).fetch_all(&mut connection).await.unwrap();
    for (schema, table, column, kind) in columns {
        let place = format!("{service}.{table}.{column}");
        let shown = match kind.as_str() {
            "bytea" => format!("\"{column}\""),
            // Not a cast to bytea, which would read backslashes as escapes.
            _ => format!("convert_to(\"{column}\"::text, 'UTF8')"),
        };
        let query = AssertSqlSafe(format!(
            "SELECT {shown} FROM \"{schema}\".\"{table}\" WHERE \"{column}\" IS NOT NULL"
        ));
        let values: Vec<Vec<u8>> = sqlx::query_scalar(query).fetch_all(&mut connection).await.unwrap();
        for value in values {
            search.look(&place, &value);
        }
    }
}

pub(crate) async fn connect(platform: &Deployment, service: &str) -> PgConnection {
    let mut url = reqwest::Url::parse(&std::env::var("TEST_DATABASE_URL").unwrap()).unwrap();
    url.set_path(platform.value(&format!("{}_DB_NAME", service.to_uppercase())));
    PgConnection::connect(url.as_str()).await.unwrap()
}

/// Of the whole server: other tests share it, and have planted nothing of ours.
async fn redis(platform: &Deployment, search: &mut Search) {
    let mut connection = redis_connection(platform).await;
    let mut cursor: u64 = 0;
    loop {
        let (next, keys): (u64, Vec<Vec<u8>>) =
            redis::cmd("SCAN").arg(cursor).arg("COUNT").arg(1000).query_async(&mut connection).await.unwrap();
        for key in keys {
            search.look("redis, keys", &key);
            let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await.unwrap();
            // What has expired meanwhile is of no kind any more.
            if let Some(command) = all_of(&kind, &key) {
                let value: redis::Value = command.query_async(&mut connection).await.unwrap();
                look_into(&value, search);
            }
        }
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
}

/// The command that reads all that is under a key of this kind.
fn all_of(kind: &str, key: &[u8]) -> Option<redis::Cmd> {
    let (name, rest): (&str, &[&str]) = match kind {
        "none" => return None,
        "string" => ("GET", &[]),
        "hash" => ("HGETALL", &[]),
        "set" => ("SMEMBERS", &[]),
        "list" => ("LRANGE", &["0", "-1"]),
        "zset" => ("ZRANGE", &["0", "-1"]),
        "stream" => ("XRANGE", &["-", "+"]),
        other => panic!("nobody looks into a {other}"),
    };
    let mut command = redis::cmd(name);
    command.arg(key).arg(rest);
    Some(command)
}

fn look_into(value: &redis::Value, search: &mut Search) {
    match value {
        redis::Value::BulkString(bytes) => search.look("redis, values", bytes),
        redis::Value::Array(values) | redis::Value::Set(values) => {
            values.iter().for_each(|value| look_into(value, search));
        }
        redis::Value::Map(pairs) => pairs.iter().for_each(|(key, value)| {
            look_into(key, search);
            look_into(value, search);
        }),
        other => search.look("redis, values", format!("{other:?}").as_bytes()),
    }
}

pub(crate) async fn redis_connection(platform: &Deployment) -> redis::aio::MultiplexedConnection {
    let url = format!("redis://{}:{}", platform.value("REDIS_HOST"), platform.value("REDIS_PORT"));
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}
