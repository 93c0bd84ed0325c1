//! Brokers of a test's own, started by `scripts/kafka.sh`, which may be killed.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common_events::{
    KafkaConfig,
    topics::{self, Partitions},
};
use common_utils::{config::Env, ids};

pub(crate) struct Cluster {
    brokers: u8,
    data: tempfile::TempDir,
    settings: HashMap<String, String>,
}

impl Cluster {
    pub(crate) fn start(brokers: u8, flags: &[&str]) -> Self {
        let data = tempfile::Builder::new().prefix("wallet-platform.kafka-").tempdir().unwrap();
        let mut cluster = Self { brokers, data, settings: HashMap::new() };
        cluster.settings = cluster.script("start", flags);
        cluster
    }

    /// With topics and groups of this call alone.
    pub(crate) async fn config(&self) -> KafkaConfig {
        let mut settings = self.settings.clone();
        settings.insert("KAFKA_PREFIX".to_owned(), format!("test-{}-", ids::new_id().simple()));
        let env = Env::from_values("test", settings.into_iter().collect());
        let config = KafkaConfig::from_env(&env, "test").unwrap();
        topics::apply(&config, Partitions::AsTheyAre).await.unwrap();
        config
    }

    /// SIGKILL.
    pub(crate) fn kill(&self, node: u8) {
        let file = self.data.path().join(format!("run/kafka-{}-{node}.pid", self.brokers));
        let text = fs::read_to_string(file).unwrap();
        let pid = text.split_whitespace().next().unwrap();
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }

    /// Starts those that were killed, and waits until all are members again.
    pub(crate) fn revive(&self) {
        self.script("start", &[]);
    }

    /// What it printed, as settings.
    fn script(&self, action: &str, flags: &[&str]) -> HashMap<String, String> {
        let script = root().join("scripts/kafka.sh");
        let output = Command::new(script)
            .arg(self.brokers.to_string())
            .arg(action)
            .arg("--data")
            .arg(self.data.path())
            .args(flags)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        let settings = said.lines().filter_map(|line| line.split_once('='));
        settings.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.script("stop", &[]);
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
