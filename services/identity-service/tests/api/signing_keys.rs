//! `identity-service keys …` beside an instance that runs, and `JWT_SECRET` in the place of keys.

use std::{path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_auth::testing::Callers;
use common_db::testing::TestDb;
use common_utils::clock::SystemClock;
use identity_service::{SERVICE, SERVICE_NAME, migrations};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    command::binary,
    process::Running,
    support::{PASSWORD, registration},
};

const SECRET: &str = "a secret of the deployment, long enough for HS256";

struct Service {
    db: TestDb,
    keys: TempDir,
    running: Running,
    client: reqwest::Client,
}

impl Service {
    async fn start(environment: &[(&str, &str)]) -> Self {
        let (db, keys) = (TestDb::create(SERVICE, &migrations()).await, tempfile::tempdir().unwrap());
        let mut command = binary(&db);
        command.env("PORT", "0").env("KEYS_DIR", keys.path()).env("KAFKA_BROKERS", "127.0.0.1:9");
        command.env("LOG_FORMAT", "json").envs(environment.iter().copied());
        let running = Running::start(command).await;
        Self { db, keys, running, client: reqwest::Client::new() }
    }

    async fn token(&self, path: &str, body: &Value) -> String {
        let url = format!("{}/api/v1/identity{path}", self.running.address);
        let answer: Value = self.client.post(url).json(body).send().await.unwrap().json().await.unwrap();
        answer["tokens"]["accessToken"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn log_in(&self) -> String {
        self.token("/login", &json!({ "identifier": "person1@example.com", "password": PASSWORD })).await
    }

    async fn me(&self, token: &str) -> StatusCode {
        let url = format!("{}/api/v1/identity/me", self.running.address);
        self.client.get(url).bearer_auth(token).send().await.unwrap().status()
    }

    async fn published(&self) -> Vec<String> {
        let url = format!("{}/.well-known/jwks.json", self.running.address);
        let set: Value = self.client.get(url).send().await.unwrap().json().await.unwrap();
        let kid = |key: &Value| key["kid"].as_str().unwrap().to_owned();
        set["keys"].as_array().unwrap().iter().map(kid).collect()
    }

    /// Exit status and what was printed.
    async fn keys(&self, arguments: &[&str]) -> (i32, String) {
        keys(&self.db, self.keys.path(), arguments).await
    }
}

async fn keys(db: &TestDb, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = binary(db).env("KEYS_DIR", folder).arg("keys").args(arguments).output().await.unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

async fn eventually(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let until = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), until).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

#[tokio::test]
async fn a_key_is_replaced_while_the_service_runs() {
    let service = Service::start(&[]).await;
    let old_token = service.token("/register", &registration(1)).await;
    let old = kid(&old_token);
    assert_eq!(service.published().await, std::slice::from_ref(&old));
    let (status, text) = service.keys(&["retire", &old]).await;
    assert_eq!(status, 2, "{text}");

    let (status, text) = service.keys(&["rotate", "--now"]).await;
    assert_eq!(status, 0, "{text}");
    eventually("the new key signs", async || kid(&service.log_in().await) != old).await;
    let new_token = service.log_in().await;
    let new = kid(&new_token);
    assert_eq!(service.published().await, [old.clone(), new.clone()]);
    let bundle = std::fs::read_to_string(service.keys.path().join("jwt_ed25519.pub.pem")).unwrap();
    for kid in [&old, &new] {
        assert!(bundle.contains(&format!("kid: {kid}\n-----BEGIN PUBLIC KEY-----\n")), "{bundle}");
    }
    assert!(!bundle.contains("PRIVATE"));
    for token in [&old_token, &new_token] {
        assert_eq!(service.me(token).await, StatusCode::OK);
    }

    let (status, text) = service.keys(&["retire", &old]).await;
    assert_eq!(status, 0, "{text}");
    eventually("the old key is gone", async || service.me(&old_token).await == StatusCode::UNAUTHORIZED)
        .await;
    assert_eq!(service.published().await, [new]);
    assert_eq!(service.me(&new_token).await, StatusCode::OK);
    assert!(!service.keys.path().join("jwt_ed25519.pem").exists());
    assert_eq!(service.running.stop().await.0, Some(0));
}

#[tokio::test]
async fn a_next_key_is_published_before_it_signs() {
    let service = Service::start(&[]).await;
    let first = kid(&service.token("/register", &registration(1)).await);
    for too_soon in ["0", "5"] {
        assert_eq!(service.keys(&["rotate", "--after", too_soon]).await.0, 2);
    }
    let (status, text) = service.keys(&["rotate"]).await;
    assert_eq!(status, 0, "{text}");
    eventually("the next key is published", async || service.published().await.len() == 2).await;
    assert_eq!(kid(&service.log_in().await), first);
    let (status, text) = service.keys(&["rotate"]).await;
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("published already"), "{text}");
    let (status, text) = service.keys(&["list"]).await;
    assert_eq!(status, 0, "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with(&first) && lines[0].ends_with("signing"), "{text}");
    assert!(lines[1].contains("next, signs from"), "{text}");
    assert_eq!(service.running.stop().await.0, Some(0));
}

/// The keys of another service's tokens, as its own `KEYS_DIR` has them; this service takes its calls all the while.
#[tokio::test]
async fn the_key_of_a_service_is_replaced_while_it_is_called() {
    let service = Service::start(&[]).await;
    let clock = SystemClock::shared();
    let callers = Callers::of(SERVICE_NAME, service.keys.path(), &clock);
    let asked = async |token: &str| {
        let url = format!("{}/internal/v1/users?email=nobody@example.com", service.running.address);
        service.client.get(url).bearer_auth(token).send().await.unwrap().status()
    };
    let old_token = callers.mint("transaction-service").unwrap();
    let old = kid(&old_token);
    let command = ["--service", "transaction-service"];
    let (status, text) = service.keys(&[&command[..], &["rotate", "--now"]].concat()).await;
    assert_eq!(status, 0, "{text}");
    let new_token = callers.mint("transaction-service").unwrap();
    assert_ne!(kid(&new_token), old);
    for token in [&old_token, &new_token] {
        assert_eq!(asked(token).await, StatusCode::NOT_FOUND);
    }
    let (status, text) = service.keys(&[&command[..], &["retire", &old]].concat()).await;
    assert_eq!(status, 0, "{text}");
    eventually("the old key is gone", async || asked(&old_token).await == StatusCode::UNAUTHORIZED).await;
    assert_eq!(asked(&new_token).await, StatusCode::NOT_FOUND);
    assert_eq!(service.published().await.len(), 1, "access tokens have a key of their own");
    assert_eq!(service.keys(&["--service", "../etc", "list"]).await.0, 2);
    assert_eq!(service.running.stop().await.0, Some(0));
}

#[tokio::test]
async fn keys_that_cannot_be_read_leave_the_service_as_it_was() {
    let service = Service::start(&[]).await;
    let token = service.token("/register", &registration(1)).await;
    let folder = service.keys.path().join("jwt_keys");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("plan.json"), "{").unwrap();
    let (status, text) = service.keys(&["list"]).await;
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("plan.json is no plan of keys"), "{text}");
    assert_eq!(service.me(&token).await, StatusCode::OK);
    assert_eq!(service.me(&service.log_in().await).await, StatusCode::OK);
    assert_eq!(service.running.stop().await.0, Some(0));
}

#[tokio::test]
async fn a_secret_signs_in_the_place_of_keys() {
    let service = Service::start(&[("JWT_SECRET", SECRET)]).await;
    let token = service.token("/register", &registration(1)).await;
    assert_eq!(header(&token), json!({ "typ": "JWT", "alg": "HS256", "kid": "jwt-secret" }));
    assert_eq!(service.me(&token).await, StatusCode::OK);
    assert!(service.published().await.is_empty());
    assert!(!service.keys.path().join("jwt_ed25519.pem").exists(), "no key is made");
    let (status, log) = service.running.stop().await;
    assert_eq!(status, Some(0));
    assert!(!log.contains(SECRET));
}

#[tokio::test]
async fn a_short_secret_stops_it() {
    let (db, keys) = (TestDb::create(SERVICE, &migrations()).await, tempfile::tempdir().unwrap());
    let mut command = binary(&db);
    command.env("PORT", "0").env("KEYS_DIR", keys.path()).env("JWT_SECRET", "x".repeat(31));
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("JWT_SECRET must have at least 32 bytes"), "{text}");
}
