//! A real schema registry: what a service publishes is there after its start, and what would break readers keeps it from starting.

use std::{collections::HashMap, path::Path, process::Command};

use common_events::{
    contracts::{self, Contract},
    registry::{Registry, RegistryError, register_on_start},
};
use common_utils::config::Env;
use serde_json::{Value, json};

use crate::world::until;

/// Started by `scripts/registry.sh`.
struct Running {
    data: tempfile::TempDir,
    url: String,
}

impl Running {
    fn start() -> Self {
        let data = tempfile::Builder::new().prefix("wallet-platform.registry-").tempdir().unwrap();
        let said = script("start", data.path());
        let url = said.lines().find_map(|line| line.strip_prefix("SCHEMA_REGISTRY_URL=")).unwrap();
        Self { url: url.to_owned(), data }
    }

    fn env(&self) -> Env {
        env(&[("SCHEMA_REGISTRY_URL", &self.url)])
    }

    async fn get(&self, path: &str) -> Value {
        reqwest::get(format!("{}/{path}", self.url)).await.unwrap().json().await.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        script("stop", self.data.path());
    }
}

fn script(action: &str, data: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/registry.sh");
    let output = Command::new(script).arg(action).arg("--data").arg(data).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn env(values: &[(&str, &str)]) -> Env {
    let values: HashMap<String, String> =
        values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Env::from_values("test", values.into_iter().collect())
}

/// The first contract of wallet-service, changed.
fn changed(change: impl FnOnce(&mut Value)) -> Contract {
    let mut contract = contracts::of("wallet-service").remove(0);
    let snapshot = contract.schema.pointer_mut("/definitions/WalletSnapshot").expect("the snapshot");
    change(snapshot);
    contract
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_publishes_is_registered_and_a_break_is_refused() {
    let running = Running::start();
    let registry = Registry::from_env(&running.env()).unwrap().unwrap();
    // Its first answers may take longer than a service waits for them.
    let all = contracts::of("wallet-service");
    until("its first registration", async || registry.register("test", &all).await.is_ok()).await;
    // Every start registers; what is there already is left alone.
    for _ in 0..2 {
        register_on_start(&running.env(), "wallet-service").await.unwrap();
    }
    let subjects: Vec<String> = serde_json::from_value(running.get("subjects").await).unwrap();
    let wanted: Vec<String> = contracts::of("wallet-service").iter().map(Contract::subject).collect();
    assert_eq!(subjects.len(), wanted.len());
    assert!(wanted.iter().all(|subject| subjects.contains(subject)), "{subjects:?}");
    let level = running.get("config/wallet.created.v1").await;
    assert_eq!(level["compatibilityLevel"], "FORWARD");
    assert_eq!(running.get("subjects/wallet.created.v1/versions").await, json!([1]));

    let grown = changed(|snapshot| snapshot["properties"]["note"] = json!({ "type": ["string", "null"] }));
    assert_eq!(registry.register("test", &[grown]).await.unwrap(), 1);
    assert_eq!(running.get("subjects/wallet.created.v1/versions").await, json!([1, 2]));

    let broken = changed(|snapshot| {
        let names = json!(["createdAt", "currency", "status", "userId"]);
        snapshot["properties"].as_object_mut().unwrap().remove("walletId").unwrap();
        snapshot["required"] = names;
    });
    let refused = registry.register("test", &[broken]).await.unwrap_err();
    let RegistryError::Incompatible { subject, .. } = &refused else { panic!("{refused}") };
    assert_eq!(subject, "wallet.created.v1");
    assert_eq!(running.get("subjects/wallet.created.v1/versions").await, json!([1, 2]));
}

#[tokio::test]
async fn a_registry_that_is_away_keeps_nobody_from_starting() {
    register_on_start(&env(&[("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1")]), "wallet-service")
        .await
        .unwrap();
    register_on_start(&env(&[]), "wallet-service").await.unwrap();
}

#[test]
fn a_wrong_setting_is_named() {
    let refused = |values: &[(&str, &str)]| Registry::from_env(&env(values)).unwrap_err().to_string();
    assert!(refused(&[("SCHEMA_REGISTRY_URL", "registry")]).contains("SCHEMA_REGISTRY_URL"));
    let url = ("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1");
    assert!(refused(&[url, ("SCHEMA_REGISTRY_USER", "ada")]).contains("go together"));
}
