//! The real program, killed in the middle of a transfer and started again.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use common_utils::clock::{Clock, SystemClock};
use secrecy::ExposeSecret;

use crate::{
    peers::Fault,
    support::{Customer, TRANSFERS, World, between, eventually},
};

struct Program {
    child: Child,
    url: String,
}

impl Program {
    async fn start(world: &World) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let database = &world.db.config;
        let password = database.password.as_ref().map_or("", |password| password.expose_secret());
        let child = Command::new(env!("CARGO_BIN_EXE_transaction-service"))
            .env_clear()
            .env("PORT", port.to_string())
            .envs([("DB_HOST", &database.host), ("DB_NAME", &database.name), ("DB_USER", &database.user)])
            .env("DB_PORT", database.port.to_string())
            .env("DB_PASSWORD", password)
            .envs([("KAFKA_BROKERS", "127.0.0.1:1"), ("REDIS_PORT", "1"), ("RUST_LOG", "off")])
            .envs([("IDENTITY_URL", &world.peers.url), ("WALLET_URL", &world.peers.url)])
            .env("KEYS_DIR", &world.config.keys_dir)
            .envs([("CALL_TIMEOUT_SECONDS", "5"), ("TRANSFER_LEASE_SECONDS", "6")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let url = format!("http://127.0.0.1:{port}");
        let live = format!("{url}/health/live");
        let up = eventually(async || reqwest::get(&live).await.ok().map(drop)).await;
        assert!(up.is_some(), "the program does not come up");
        Self { child, url }
    }

    fn transfer(&self, sender: &Customer, body: &serde_json::Value) -> reqwest::RequestBuilder {
        reqwest::Client::new()
            .post(format!("{}{TRANSFERS}", self.url))
            .bearer_auth(&sender.token)
            .header("idempotency-key", "k1")
            .json(body)
    }
}

/// SIGKILL: the program cleans nothing up.
impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Kills the program when the transfer is claimed and the ledger has it, as far as this fault lets it.
async fn killed_and_started_again(fault: Fault) {
    let world = World::new().await;
    let (mut ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    ada.token = world.token_at(ada.person.id, SystemClock.now());
    let body = between(&ada, &bola, 40_000);
    let applies = matches!(fault, Fault::LoseAnswer);
    world.peers.fail(fault);

    let first = Program::start(&world).await;
    let request = tokio::spawn(first.transfer(&ada, &body).send());
    let reached = eventually(async || {
        let claimed = world.statuses().await == ["initiated"];
        (claimed && world.peers.book().decided.is_empty() != applies).then_some(())
    });
    assert!(reached.await.is_some());
    drop(first);
    assert!(request.await.unwrap().is_err());
    assert_eq!(world.statuses().await, ["initiated"]);

    world.peers.fail(Fault::None);
    let second = Program::start(&world).await;
    let told = eventually(async || {
        let answer = second.transfer(&ada, &body).send().await.unwrap();
        (answer.status() != 409).then_some(answer)
    });
    let told = told.await.expect("an answer in time");
    assert_eq!(told.status(), 201);
    drop(second);
    assert_eq!(world.statuses().await, ["completed"]);
    assert_eq!(world.event_types().await, ["transaction.initiated", "transaction.completed"]);
    let balance = |wallet| world.peers.book().balance(wallet);
    assert_eq!((balance(ada.wallet), balance(bola.wallet)), (60_000, 140_000));
}

#[tokio::test]
async fn a_kill_before_the_posting_leaves_a_transfer_that_ends_once() {
    // Applied never: the call that is killed had not come to it.
    killed_and_started_again(Fault::Slow(Duration::from_mins(10))).await;
}

#[tokio::test]
async fn a_kill_after_the_posting_leaves_a_transfer_that_ends_once() {
    killed_and_started_again(Fault::LoseAnswer).await;
}
