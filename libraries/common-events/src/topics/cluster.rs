//! A cluster's topics: looked at, and brought up to what is declared.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use anyhow::Context;
use rdkafka::{
    admin::{
        AdminClient, AdminOptions, AlterConfig, ConfigSource, NewPartitions, NewTopic,
        OwnedResourceSpecifier, ResourceSpecifier, TopicReplication, TopicResult,
    },
    client::DefaultClientContext,
    types::RDKafkaErrorCode,
};

use super::{
    Change, Partitions, declared,
    plan::{There, Wanted, plan},
};
use crate::KafkaConfig;

const PATIENCE: Duration = Duration::from_secs(20);
/// How long a cluster may take to show what it took: a busy broker with thousands of partitions needs its time.
const SHOWN_WITHIN: Duration = Duration::from_secs(90);
/// Doubled after each look: a look asks for every topic of the cluster, and should not be what keeps it busy.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_AT_LEAST: Duration = Duration::from_secs(2);

type Admin = AdminClient<DefaultClientContext>;

/// What the cluster lacks. Nothing is changed.
pub async fn differences(config: &KafkaConfig) -> anyhow::Result<Vec<Change>> {
    Cluster::look(config).await?.differences(Partitions::AsTheyAre)
}

/// Brings the cluster up to what is declared, and tells what was changed, and what was refused.
pub async fn apply(config: &KafkaConfig, growth: Partitions) -> anyhow::Result<Vec<Change>> {
    let cluster = Cluster::look(config).await?;
    let changes = cluster.differences(growth)?;
    cluster.create(&changes).await?;
    cluster.add_partitions(&changes).await?;
    cluster.configure(&changes).await?;
    if !changes.iter().all(Change::is_refused) {
        shown(config, growth).await?;
    }
    Ok(changes)
}

/// A controller confirms a change before brokers know it; who looks right after `apply` is to see it.
async fn shown(config: &KafkaConfig, growth: Partitions) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut pause = LOOK_AGAIN;
    loop {
        let mut left = Cluster::look(config).await?.differences(growth)?;
        left.retain(|change| !change.is_refused());
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > SHOWN_WITHIN {
            let left: Vec<String> = left.iter().map(ToString::to_string).collect();
            anyhow::bail!("the cluster took the changes and does not show these: {}", left.join("; "));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_AT_LEAST);
    }
}

/// A cluster as it is. Topics have the names that are declared, without the prefix of the deployment.
struct Cluster<'a> {
    config: &'a KafkaConfig,
    admin: Admin,
    brokers: usize,
    there: BTreeMap<String, There>,
}

impl<'a> Cluster<'a> {
    async fn look(config: &'a KafkaConfig) -> anyhow::Result<Self> {
        let admin: Admin = config.client().create()?;
        let (admin, metadata) = tokio::task::spawn_blocking(move || {
            let metadata = admin.inner().fetch_metadata(None, PATIENCE);
            (admin, metadata)
        })
        .await?;
        let metadata = metadata.with_context(|| format!("Kafka at {} does not answer", config.brokers))?;
        let brokers = metadata.brokers().len();
        let ours: Vec<String> = declared()?.into_iter().map(|topic| topic.name).collect();
        let mut there = BTreeMap::new();
        for topic in metadata.topics() {
            let Some(name) = topic.name().strip_prefix(&config.prefix) else { continue };
            if ours.iter().any(|known| known == name) {
                let copies = topic.partitions().iter().map(|partition| partition.replicas().len()).min();
                let there_is = There {
                    partitions: i32::try_from(topic.partitions().len())?,
                    copies: i32::try_from(copies.unwrap_or_default())?,
                    ..There::default()
                };
                there.insert(name.to_owned(), there_is);
            }
        }
        all_there(config, brokers, &there)?;
        let mut cluster = Self { config, admin, brokers, there };
        cluster.read_settings().await?;
        Ok(cluster)
    }

    /// Those that were set for the topic, and those that it has by default.
    async fn read_settings(&mut self) -> anyhow::Result<()> {
        let names: Vec<String> = self.there.keys().map(|name| self.config.prefixed(name)).collect();
        if names.is_empty() {
            return Ok(());
        }
        let asked: Vec<ResourceSpecifier<'_>> =
            names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
        for described in self.admin.describe_configs(&asked, &options()).await? {
            let described =
                described.map_err(|code| anyhow::anyhow!("cannot read a topic's settings: {code}"))?;
            let OwnedResourceSpecifier::Topic(name) = &described.specifier else { continue };
            let name = name.strip_prefix(&self.config.prefix).unwrap_or(name);
            let Some(there) = self.there.get_mut(name) else { continue };
            for entry in described.entries {
                let Some(value) = entry.value else { continue };
                if entry.source == ConfigSource::DynamicTopic {
                    there.settings.insert(entry.name.clone(), value.clone());
                }
                there.effective.insert(entry.name, value);
            }
        }
        Ok(())
    }

    fn differences(&self, growth: Partitions) -> anyhow::Result<Vec<Change>> {
        let declared = declared()?;
        let wanted: Vec<Wanted<'_>> = declared.iter().map(|topic| Wanted::new(topic, self.brokers)).collect();
        Ok(plan(&wanted, &self.there, growth))
    }

    async fn create(&self, changes: &[Change]) -> anyhow::Result<()> {
        let declared = declared()?;
        let missing = |name: &str| {
            changes.iter().any(|change| matches!(change, Change::Create { topic, .. } if topic == name))
        };
        let wanted: Vec<(String, Wanted<'_>)> = declared
            .iter()
            .filter(|topic| missing(&topic.name))
            .map(|topic| (self.config.prefixed(&topic.name), Wanted::new(topic, self.brokers)))
            .collect();
        let new: Vec<NewTopic<'_>> = wanted
            .iter()
            .map(|(name, wanted)| {
                let copies = TopicReplication::Fixed(wanted.copies);
                let topic = NewTopic::new(name, wanted.topic.partitions, copies);
                wanted.settings().fold(topic, |topic, (setting, value)| topic.set(setting, value))
            })
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        // Somebody else may have made it meanwhile.
        done(self.admin.create_topics(&new, &options()).await?, &[RDKafkaErrorCode::TopicAlreadyExists])
    }

    async fn add_partitions(&self, changes: &[Change]) -> anyhow::Result<()> {
        let mut wanted = Vec::new();
        for change in changes {
            if let Change::AddPartitions { topic, to, .. } = change {
                wanted.push((self.config.prefixed(topic), usize::try_from(*to)?));
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let new: Vec<NewPartitions<'_>> =
            wanted.iter().map(|(name, count)| NewPartitions::new(name, *count)).collect();
        done(self.admin.create_partitions(&new, &options()).await?, &[])
    }

    /// The call replaces all that is set for a topic, so what an operator has set beside ours is sent along.
    async fn configure(&self, changes: &[Change]) -> anyhow::Result<()> {
        let mut wanted: BTreeMap<String, HashMap<&str, &str>> = BTreeMap::new();
        for change in changes {
            if let Change::Configure { topic, setting, to, .. } = change {
                let set = wanted.entry(self.config.prefixed(topic)).or_insert_with(|| {
                    let there = self.there.get(topic).map(|there| there.settings.iter());
                    there.into_iter().flatten().map(|(name, value)| (name.as_str(), value.as_str())).collect()
                });
                set.insert(*setting, to);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let altered: Vec<AlterConfig<'_>> = wanted
            .iter()
            .map(|(name, entries)| AlterConfig {
                specifier: ResourceSpecifier::Topic(name),
                entries: entries.clone(),
            })
            .collect();
        for result in self.admin.alter_configs(&altered, &options()).await? {
            result.map_err(|(topic, code)| anyhow::anyhow!("cannot set up {topic:?}: {code}"))?;
        }
        Ok(())
    }
}

/// A cluster of which some brokers are away would be given fewer copies of a new topic, for good. One broker, at one address, is
/// a development's.
fn all_there(config: &KafkaConfig, brokers: usize, there: &BTreeMap<String, There>) -> anyhow::Result<()> {
    let copies = declared()?.iter().map(|topic| topic.replication).max().unwrap_or(1);
    let alone =
        brokers == 1 && !config.brokers.contains(',') && there.values().all(|topic| topic.copies <= 1);
    let enough = alone || i32::try_from(brokers)? >= copies;
    anyhow::ensure!(
        enough,
        "{brokers} brokers answer at {}; topics have {copies} copies, so wait until as many are there",
        config.brokers
    );
    Ok(())
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn done(results: Vec<TopicResult>, fine: &[RDKafkaErrorCode]) -> anyhow::Result<()> {
    for result in results {
        match result {
            Ok(_) => {}
            Err((_, code)) if fine.contains(&code) => {}
            Err((topic, code)) => anyhow::bail!("cannot make topic {topic} what it should be: {code}"),
        }
    }
    Ok(())
}
