//! Kafka or Redis away, a provider away: what the customer asked for still happens, and the rest follows.

use std::process::Command;

use serde_json::json;

use super::deployment::{Deployment, free_port};

/// A Kafka of this test's own, which can be stopped and started again with its data.
struct Kafka {
    data: tempfile::TempDir,
    port: u16,
}

impl Kafka {
    fn prepare() -> Self {
        Self { data: tempfile::tempdir().unwrap(), port: free_port() }
    }

    fn run(&self, action: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/kafka.sh");
        let mut command = Command::new(script);
        command.arg(action).arg("--data").arg(self.data.path()).args(["--port", &self.port.to_string()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.run("stop");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_kafka_down_people_register_and_pay_and_the_events_follow() {
    let kafka = Kafka::prepare();
    kafka.run("start");
    let mut platform = Deployment::prepare();
    platform.set("KAFKA_BROKERS", format!("127.0.0.1:{}", kafka.port));
    platform.start("standalone");
    platform.ready().await;
    let ada = platform.funded_customer("5000.00").await;
    let bola = platform.customer().await;

    kafka.run("stop");
    let (status, body) = platform.transfer(&ada, &bola, 100, "while Kafka is away").await.unwrap();
    assert_eq!(status, 201, "{body}");
    let (token, _) = platform.register().await;
    let url = format!("{}/api/v1/wallet/wallets", platform.service("wallet"));
    let opened = platform.client.post(&url).bearer_auth(&ada.token).json(&json!({ "currency": "USD" }));
    assert_eq!(opened.send().await.unwrap().status(), 201);
    assert_eq!(platform.get(&url, &token).await.1["items"], json!([]), "no event can have arrived");
    let url = format!("{}/health/ready", platform.service("wallet"));
    let (status, health) = platform.get(&url, "").await;
    assert_eq!((status, &health["status"]), (200, &json!("degraded")));

    kafka.run("start");
    platform.wallet_of(&token).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_everything_still_works() {
    let mut platform = Deployment::prepare();
    platform.set("REDIS_PORT", "1");
    platform.start("standalone");
    platform.ready().await;
    super::main_job::play(&platform);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_provider_down_wallets_are_made_and_the_account_number_follows() {
    let mut platform = Deployment::prepare();
    let bank_port = free_port().to_string();
    // The bank is a twin of its own, which does not run yet; the other one checks identities.
    platform.set("PROVIDUS_BASE_URL", format!("http://127.0.0.1:{bank_port}/api/v1"));
    platform.start_all_apart().await;
    let customer = platform.customer().await;
    let url = format!("{}/api/v1/identity/kyc/bvn", platform.service("identity"));
    let body = json!({ "bvn": "22345678901", "dateOfBirth": "1990-05-17" });
    let answer = platform.client.post(url).bearer_auth(&customer.token).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let url = format!("{}/api/v1/wallet/wallets/{}", platform.service("wallet"), customer.wallet_id);
    assert_eq!(platform.get(&url, &customer.token).await.1["virtualAccounts"], json!([]));

    let own_book = platform.dir().join("bank.json").display().to_string();
    platform.start_as("bank", "provider-twin", &[("TWIN_PORT", &bank_port), ("TWIN_DATA_FILE", &own_book)]);
    platform
        .until("the account number", async || {
            let wallet = platform.get(&url, &customer.token).await.1;
            wallet.pointer("/virtualAccounts/0/accountNumber").is_some()
        })
        .await;
}
