//! The scripts that run once in containers, run here with stand-ins for the programs that they call.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::Value;

use crate::files::{path, text};

/// A program that writes down how it was called.
fn recorder(folder: &Path, name: &str) {
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\necho \"{name} $*\" >> '{}'\n", folder.join("calls").display()))
        .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
}

fn calls(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("calls")).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn all_declared_topics_are_created() {
    let folder = tempfile::tempdir().unwrap();
    recorder(folder.path(), "kafka-topics.sh");
    let status = Command::new("sh")
        .arg(path("docker/create-topics.sh"))
        .arg(path("libraries/common-events/topics.json"))
        .arg("kafka:9092")
        .env("KAFKA_TOPICS", folder.path().join("kafka-topics.sh"))
        .status()
        .unwrap();
    assert!(status.success());

    let declared: Value = serde_json::from_str(&text("libraries/common-events/topics.json")).unwrap();
    let calls = calls(folder.path());
    assert_eq!(calls.len(), declared.as_array().unwrap().len());
    for (topic, call) in declared.as_array().unwrap().iter().zip(calls) {
        let name = topic["name"].as_str().unwrap();
        let (partitions, retention) = (&topic["partitions"], &topic["retentionMs"]);
        let compression = topic["compression"].as_str().unwrap();
        for part in [
            format!(
                "--bootstrap-server kafka:9092 --create --if-not-exists --topic {name} --partitions {partitions} "
            ),
            format!("--config retention.ms={retention} "),
            format!("--config compression.type={compression} "),
        ] {
            assert!(call.contains(&part), "{call}: {part}");
        }
    }
}

#[test]
fn all_databases_are_migrated_and_a_failure_stops() {
    let folder = tempfile::tempdir().unwrap();
    for service in ["identity", "wallet", "transaction", "admin"] {
        recorder(folder.path(), &format!("{service}-service"));
    }
    let run = |succeeds: bool| {
        let mut migrate = Command::new("/bin/sh");
        migrate.arg(path("docker/migrate.sh")).arg("--status").env("PATH", folder.path());
        assert_eq!(migrate.status().unwrap().success(), succeeds);
        calls(folder.path())
    };
    let expected =
        ["identity", "wallet", "transaction", "admin"].map(|name| format!("{name}-service migrate --status"));
    assert_eq!(run(true), expected);
    fs::write(folder.path().join("wallet-service"), "#!/bin/sh\nexit 1\n").unwrap();
    assert_eq!(run(false).len(), 5, "only identity was migrated again");
}
