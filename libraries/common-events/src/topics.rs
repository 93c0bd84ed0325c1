//! The topics, declared once in `topics.json`; `scripts/create-topics.sh` reads the same file.

use std::time::Duration;

use anyhow::Context;
use rdkafka::{
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};
use serde::Deserialize;

use crate::{KafkaConfig, config::TOPIC_MESSAGE_BYTES};

/// A topic of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Topic {
    User,
    Wallet,
    Transaction,
    Saga,
    Admin,
}

impl Topic {
    pub const ALL: [Self; 5] = [Self::User, Self::Wallet, Self::Transaction, Self::Saga, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user-events",
            Self::Wallet => "wallet-events",
            Self::Transaction => "transaction-events",
            Self::Saga => "saga-events",
            Self::Admin => "admin-events",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    retention_ms: i64,
    compression: String,
}

pub(crate) fn declared() -> anyhow::Result<Vec<Declared>> {
    serde_json::from_str(include_str!("../topics.json")).context("topics.json")
}

/// Creates the topics that are missing, with one replica; existing ones are left as they are. For development and
/// tests: a cluster's topics are made by `scripts/create-topics.sh`.
pub async fn ensure(config: &KafkaConfig) -> anyhow::Result<()> {
    let declared = declared()?;
    let names: Vec<String> = declared.iter().map(|topic| config.prefixed(&topic.name)).collect();
    let size = TOPIC_MESSAGE_BYTES.to_string();
    let retention: Vec<String> = declared.iter().map(|topic| topic.retention_ms.to_string()).collect();
    let wanted: Vec<NewTopic<'_>> = declared
        .iter()
        .zip(&names)
        .zip(&retention)
        .map(|((topic, name), retention)| {
            NewTopic::new(name, topic.partitions, TopicReplication::Fixed(1))
                .set("retention.ms", retention)
                .set("compression.type", &topic.compression)
                .set("max.message.bytes", &size)
        })
        .collect();
    let admin: AdminClient<DefaultClientContext> = config.client().create()?;
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(20)));
    for result in admin.create_topics(&wanted, &options).await? {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => anyhow::bail!("cannot create topic {topic}: {code}"),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_declared_with_its_dead_letters() {
        let declared = declared().unwrap();
        let find =
            |name: &str| declared.iter().find(|topic| topic.name == name).unwrap_or_else(|| panic!("{name}"));
        for topic in Topic::ALL {
            assert_eq!(find(topic.name()).partitions, if topic == Topic::Saga { 5 } else { 10 });
            assert_eq!(find(&format!("dlq.{}", topic.name())).partitions, 1);
        }
    }
}
