//! What a cluster lacks of what is declared. What is there is never made less: fewer partitions or a shorter time to keep
//! events would lose some, and fewer copies or smaller messages would break a promise that somebody relies on.

use std::{collections::BTreeMap, fmt};

use super::Declared;

/// A topic as a cluster has it.
#[derive(Debug, Clone, Default)]
pub(super) struct There {
    pub(super) partitions: i32,
    pub(super) copies: i32,
    /// What was set for the topic.
    pub(super) settings: BTreeMap<String, String>,
    /// What holds for it, wherever it was set.
    pub(super) effective: BTreeMap<String, String>,
}

/// Whether topics may get more partitions. The keys of events move then: what waits in an old partition and what comes in a new one
/// have no order between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partitions {
    AsTheyAre,
    MayGrow,
}

/// One difference between what is declared and what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Create {
        topic: String,
        partitions: i32,
        copies: i32,
    },
    AddPartitions {
        topic: String,
        from: i32,
        to: i32,
    },
    Configure {
        topic: String,
        setting: &'static str,
        from: Option<String>,
        to: String,
    },
    /// Not done: there is more than is declared, or it takes an operator.
    Refused {
        topic: String,
        why: String,
    },
}

impl Change {
    pub fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { topic, partitions, copies } => {
                write!(f, "+ {topic}: {partitions} partitions, {copies} of each")
            }
            Self::AddPartitions { topic, from, to } => {
                write!(f, "~ {topic}: {from} partitions → {to}")
            }
            Self::Configure { topic, setting, from, to } => {
                write!(f, "~ {topic}: {setting} {} → {to}", from.as_deref().unwrap_or("(not set)"))
            }
            Self::Refused { topic, why } => write!(f, "! {topic}: {why}"),
        }
    }
}

/// What a topic is to be on a cluster of so many brokers.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) topic: &'a Declared,
    pub(super) copies: i32,
    /// By name. Where more is better, the number that must not get less.
    settings: [(&'static str, String, Option<i64>); 5],
}

impl<'a> Wanted<'a> {
    pub(super) fn new(topic: &'a Declared, brokers: usize) -> Self {
        let enough = i32::try_from(brokers).is_ok_and(|brokers| brokers >= topic.replication);
        let (copies, in_sync) = if enough { (topic.replication, topic.min_in_sync) } else { (1, 1) };
        let grows = |name, value: i64| (name, value.to_string(), Some(value));
        let settings = [
            grows("retention.ms", topic.retention_ms),
            grows("max.message.bytes", topic.max_message_bytes),
            grows("min.insync.replicas", i64::from(in_sync)),
            ("compression.type", topic.compression.clone(), None),
            ("unclean.leader.election.enable", "false".to_owned(), None),
        ];
        Self { topic, copies, settings }
    }

    pub(super) fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.settings.iter().map(|(name, value, _)| (*name, value.as_str()))
    }
}

/// The changes that make what is there what is wanted, in the order of the declaration.
pub(super) fn plan(
    wanted: &[Wanted<'_>],
    there: &BTreeMap<String, There>,
    growth: Partitions,
) -> Vec<Change> {
    wanted.iter().flat_map(|wanted| compare(wanted, there.get(&wanted.topic.name), growth)).collect()
}

fn compare(wanted: &Wanted<'_>, there: Option<&There>, growth: Partitions) -> Vec<Change> {
    let (topic, partitions) = (wanted.topic.name.clone(), wanted.topic.partitions);
    let Some(there) = there else {
        return vec![Change::Create { topic, partitions, copies: wanted.copies }];
    };
    let mut changes = Vec::new();
    if there.partitions < partitions {
        let (topic, from) = (topic.clone(), there.partitions);
        changes.push(match growth {
            Partitions::MayGrow => Change::AddPartitions { topic, from, to: partitions },
            Partitions::AsTheyAre => {
                let why = format!(
                    "has {from} partitions and not {partitions}; keys would move: see --add-partitions"
                );
                Change::Refused { topic, why }
            }
        });
    }
    if there.partitions > partitions {
        let why = format!("has {} partitions; {partitions} would lose events", there.partitions);
        changes.push(Change::Refused { topic: topic.clone(), why });
    }
    if there.copies != wanted.copies {
        let (has, wants) = (there.copies, wanted.copies);
        let why = format!("has {has} of each partition and not {wants}; see kafka-reassign-partitions");
        changes.push(Change::Refused { topic: topic.clone(), why });
    }
    changes.extend(wanted.settings.iter().filter_map(|setting| compare_setting(&topic, setting, there)));
    changes
}

fn compare_setting(
    topic: &str,
    (setting, value, at_least): &(&'static str, String, Option<i64>),
    there: &There,
) -> Option<Change> {
    let from = there.settings.get(*setting).cloned();
    if from.as_ref() == Some(value) {
        return None;
    }
    let topic = topic.to_owned();
    let less = there.effective.get(*setting).and_then(|has| has.parse().ok()).zip(*at_least);
    if let Some((has, wanted)) = less
        && size(has) > size(wanted)
    {
        return Some(Change::Refused { topic, why: format!("{setting} is {has}; {wanted} would be less") });
    }
    Some(Change::Configure { topic, setting, from, to: value.clone() })
}

/// −1 stands for no bound.
fn size(value: i64) -> i64 {
    if value < 0 { i64::MAX } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared() -> Declared {
        Declared {
            name: "user-events".to_owned(),
            partitions: 10,
            replication: 3,
            min_in_sync: 2,
            retention_ms: 1000,
            compression: "lz4".to_owned(),
            max_message_bytes: 100,
        }
    }

    fn lines(topic: &Declared, brokers: usize, there: Option<There>) -> Vec<String> {
        let there = there.map(|there| (topic.name.clone(), there)).into_iter().collect();
        let changes = plan(&[Wanted::new(topic, brokers)], &there, Partitions::MayGrow);
        changes.iter().map(ToString::to_string).collect()
    }

    /// As it is after it was created.
    fn same(topic: &Declared, brokers: usize) -> There {
        let wanted = Wanted::new(topic, brokers);
        let settings = wanted.settings().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        set(There { partitions: topic.partitions, copies: wanted.copies, settings, ..There::default() }, &[])
    }

    /// With these settings, which hold.
    fn set(mut there: There, settings: &[(&str, &str)]) -> There {
        let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        there.settings.extend(settings);
        there.effective.extend(there.settings.clone());
        there
    }

    #[test]
    fn what_is_missing_is_made_as_the_cluster_can_keep_it() {
        assert_eq!(lines(&declared(), 3, None), ["+ user-events: 10 partitions, 3 of each"]);
        assert_eq!(lines(&declared(), 1, None), ["+ user-events: 10 partitions, 1 of each"]);
        for brokers in [1, 3] {
            assert!(lines(&declared(), brokers, Some(same(&declared(), brokers))).is_empty());
        }
    }

    #[test]
    fn what_is_less_grows() {
        let mut there = set(same(&declared(), 3), &[("retention.ms", "10"), ("compression.type", "gzip")]);
        there.partitions = 5;
        there.settings.remove("unclean.leader.election.enable");
        assert_eq!(
            lines(&declared(), 3, Some(there)),
            [
                "~ user-events: 5 partitions → 10",
                "~ user-events: retention.ms 10 → 1000",
                "~ user-events: compression.type gzip → lz4",
                "~ user-events: unclean.leader.election.enable (not set) → false",
            ]
        );
    }

    #[test]
    fn nothing_is_made_less() {
        let more = [("retention.ms", "-1"), ("max.message.bytes", "101"), ("min.insync.replicas", "3")];
        let mut there = set(same(&declared(), 3), &more);
        there.partitions = 12;
        there.copies = 2;
        // What the brokers say by default holds as well.
        there.settings.remove("min.insync.replicas");
        assert_eq!(
            lines(&declared(), 3, Some(there)),
            [
                "! user-events: has 12 partitions; 10 would lose events",
                "! user-events: has 2 of each partition and not 3; see kafka-reassign-partitions",
                "! user-events: retention.ms is -1; 1000 would be less",
                "! user-events: max.message.bytes is 101; 100 would be less",
                "! user-events: min.insync.replicas is 3; 2 would be less",
            ]
        );
    }

    #[test]
    fn partitions_are_added_only_when_that_is_asked_for() {
        let there = There { partitions: 5, ..same(&declared(), 3) };
        let there = BTreeMap::from([(declared().name, there)]);
        let topic = declared();
        let changes = plan(&[Wanted::new(&topic, 3)], &there, Partitions::AsTheyAre);
        assert!(changes.iter().all(Change::is_refused) && changes.len() == 1, "{changes:?}");
    }
}
