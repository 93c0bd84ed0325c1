//! The topics. They are declared once, in `topics.json`; a cluster is held against that (`plan.rs`) and brought up to it
//! (`cluster.rs`).

mod cluster;
mod plan;

use anyhow::Context;
use serde::Deserialize;

pub use cluster::{apply, differences};
pub use plan::{Change, Partitions};

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

    /// The service that publishes it.
    pub fn publisher(self) -> &'static str {
        match self {
            Self::User => "identity-service",
            Self::Wallet => "wallet-service",
            Self::Transaction | Self::Saga => "transaction-service",
            Self::Admin => "admin-service",
        }
    }
}

/// One line of `topics.json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) partitions: i32,
    /// Copies of each partition; one where there is one broker.
    pub(crate) replication: i32,
    /// Copies that have a message before it counts as written; one where there is one copy.
    pub(crate) min_in_sync: i32,
    /// −1 is for ever.
    pub(crate) retention_ms: i64,
    pub(crate) compression: String,
    /// A message with its headers.
    pub(crate) max_message_bytes: i64,
}

pub(crate) fn declared() -> anyhow::Result<Vec<Declared>> {
    serde_json::from_str(include_str!("../../topics.json")).context("topics.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LETTER_BYTES, TOPIC_MESSAGE_BYTES};

    #[test]
    fn every_topic_is_declared_with_its_dead_letters() {
        let declared = declared().unwrap();
        let find =
            |name: &str| declared.iter().find(|topic| topic.name == name).unwrap_or_else(|| panic!("{name}"));
        for topic in Topic::ALL {
            let (topic, letters) = (find(topic.name()), find(&format!("dlq.{}", topic.name())));
            assert_eq!(topic.partitions, if topic.name == "saga-events" { 5 } else { 10 });
            assert_eq!(letters.partitions, 1);
            for topic in [topic, letters] {
                assert_eq!((topic.replication, topic.min_in_sync, topic.retention_ms), (3, 2, -1));
            }
            assert_eq!(usize::try_from(topic.max_message_bytes), Ok(TOPIC_MESSAGE_BYTES));
            assert_eq!(usize::try_from(letters.max_message_bytes), Ok(LETTER_BYTES));
        }
        assert_eq!(declared.len(), 2 * Topic::ALL.len());
    }
}
