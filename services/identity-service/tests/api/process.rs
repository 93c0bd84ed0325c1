//! The whole process: it migrates, serves, publishes to a real Kafka, logs without personal data, and stops.

use std::{path::Path, process::Stdio, time::Duration};

use common_db::testing::TestDb;
use common_events::testing::kafka;
use common_utils::{
    clock::{Clock, SystemClock},
    ids,
};
use identity_service::{SERVICE, migrations};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Child,
    task::JoinHandle,
};

use crate::{
    command::binary,
    factors::App,
    mailbox::until,
    support::{PASSWORD, World, kyc_at, registration},
};

const BVN: &str = "22233344451";
const BORN: &str = "1990-01-31";
const DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Running {
    child: Child,
    log: JoinHandle<String>,
    pub(crate) address: String,
}

impl Running {
    /// Reads the log up to the line with which it says where it listens, and goes on reading beside the test: who writes into a
    /// pipe that nobody reads stands still.
    pub(crate) async fn start(mut command: tokio::process::Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let listening = async {
            loop {
                let line = lines.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended:\n{log}"));
                log.push_str(&line);
                log.push('\n');
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["message"] == "identity-service listens" {
                    return format!("http://{}", said["address"].as_str().unwrap());
                }
            }
        };
        let address = tokio::time::timeout(DEADLINE, listening).await.unwrap();
        let log = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        Self { child, log, address }
    }

    /// Asks it to stop; answers its exit status and its whole log.
    pub(crate) async fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().unwrap().to_string();
        let asked = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(asked.success());
        let log = self.log.await.unwrap();
        (self.child.wait().await.unwrap().code(), log)
    }
}

async fn published(db: &TestDb) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL")
        .fetch_one(&db.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn it_serves_publishes_and_tells_no_secret() {
    let kafka = kafka().await;
    let (db, keys) = (TestDb::create(SERVICE, &migrations()).await, tempfile::tempdir().unwrap());
    let (twin, _twin) = crate::kyc::twin().await;
    let mut command = binary(&db);
    command
        .env("PORT", "0")
        .env("KEYS_DIR", keys.path())
        .env("KAFKA_BROKERS", kafka.brokers)
        .env("KAFKA_PREFIX", kafka.prefix)
        .env("KYC_BASE_URL", &twin)
        .env("MAILBOX_URL", &twin)
        .env("KYC_API_KEY", "kyc-key-of-the-tests")
        .env("LOG_FORMAT", "json")
        .env("RUST_LOG", "debug");
    let running = Running::start(command).await;

    let client = reqwest::Client::new();
    let post = async |path: &str, token: &str, body: Value| {
        let request = client.post(format!("{}/api/v1/identity{path}", running.address)).bearer_auth(token);
        let response = request.json(&body).send().await.unwrap();
        (response.status().as_u16(), response.json::<Value>().await.unwrap_or_default())
    };
    let (status, registered) = post("/register", "none", registration(1)).await;
    assert_eq!(status, 201, "{registered}");
    let tokens = registered["tokens"].clone();
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    let (access, refresh) = (text("accessToken"), text("refreshToken"));
    for bvn in ["22233344459", "22233344456", BVN] {
        post("/kyc/bvn", &access, json!({ "bvn": bvn, "dateOfBirth": BORN })).await;
    }
    post("/login", "none", json!({ "identifier": "person1@example.com", "password": "wrong password" }))
        .await;
    post("/password/forgot", "none", json!({ "identifier": "person1@example.com" })).await;
    let token = until("the token", async || {
        let sent = client.get(format!("{twin}/twin/messages")).send().await.unwrap().text().await.unwrap();
        let (_, token) = sent.split_once("set it with: ")?;
        Some(token[..43].to_owned()).filter(|_| sent.matches("is your code").count() == 2)
    })
    .await;
    let (status, _) = post("/refresh", "none", json!({ "refreshToken": refresh })).await;
    assert_eq!(status, 200);
    let (_, begun) = post("/mfa/totp", &access, json!({ "currentPassword": PASSWORD })).await;
    let secret = begun["secret"].as_str().unwrap();
    let code = json!({ "code": App::of(secret).code_at(SystemClock.now()) });
    let (status, confirmed) = post("/mfa/totp/confirm", &access, code).await;
    assert_eq!(status, 200, "{confirmed}");
    let recovery = confirmed["recoveryCodes"][0].as_str().unwrap();
    let (_, challenged) =
        post("/login", "none", json!({ "identifier": "person1@example.com", "password": PASSWORD })).await;
    let challenge = challenged["challengeId"].as_str().unwrap();
    let given = json!({ "challengeId": challenge, "method": "recovery", "code": recovery });
    assert_eq!(post("/mfa/verify", "none", given).await.0, 200);
    let until_published = async {
        while published(&db).await < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, until_published).await.expect("both events are published");
    let health = client.get(format!("{}/health/ready", running.address)).send().await.unwrap();
    assert_eq!(health.json::<Value>().await.unwrap()["status"], "up");

    let (status, log) = running.stop().await;
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("registered") && log.contains("BVN check"), "{log}");
    for secret in [
        BVN,
        "22233344459",
        BORN,
        PASSWORD,
        "wrong password",
        &access,
        &refresh,
        &token,
        secret,
        recovery,
        challenge,
        "is your code",
        "person1@example.com",
        "8030000001",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[tokio::test]
async fn a_schema_that_is_behind_stops_it_with_a_hint() {
    let (db, keys) = (TestDb::create(SERVICE, &migrations()).await, tempfile::tempdir().unwrap());
    let forget = "DELETE FROM refinery_schema_history WHERE version = (SELECT max(version) FROM refinery_schema_history)";
    sqlx::query(forget).execute(&db.pool).await.unwrap();
    let output = binary(&db).env("PORT", "0").env("KEYS_DIR", keys.path()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("identity-service migrate"), "{text}");
    let output = binary(&db).args(["migrate", "--dry-run"]).output().await.unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("pending"));
}

#[tokio::test]
async fn a_lost_key_of_stored_data_stops_it_and_is_not_replaced() {
    let (twin, _twin) = crate::kyc::twin().await;
    let world = World::with_kyc(kyc_at(&twin)).await;
    let person = world.register(1).await;
    let claim = json!({ "bvn": BVN, "dateOfBirth": BORN });
    assert_eq!(world.post_as(&person.access, "/kyc/bvn", &claim).await.status, 200);
    let with_keys = |keys: &Path| {
        let mut command = binary(&world.db);
        command.env("PORT", "0").env("KEYS_DIR", keys).env("KAFKA_BROKERS", "127.0.0.1:9");
        command
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("pii.key");
    for (content, said) in [(None, "is missing"), (Some([7; 32]), "holds another key")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let started = with_keys(elsewhere.path()).output();
        let output = tokio::time::timeout(DEADLINE, started).await.expect("it does not start").unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("{} {said}", file.display())), "{text}");
        assert_eq!(file.exists(), content.is_some(), "no key is made");
    }
    let running = Running::start(with_keys(world.keys.path())).await;
    assert_eq!(running.stop().await.0, Some(0));
}

#[tokio::test]
async fn a_lost_key_of_second_factors_stops_it_and_is_not_replaced() {
    let world = World::start().await;
    crate::factors::enrolled(&world, 1).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("factors.key");
    for (content, said) in [(None, "is missing"), (Some([7; 32]), "holds another key")] {
        if let Some(content) = content {
            std::fs::write(&file, content).unwrap();
        }
        let mut command = binary(&world.db);
        command.env("PORT", "0").env("KEYS_DIR", elsewhere.path()).env("KAFKA_BROKERS", "127.0.0.1:9");
        let output =
            tokio::time::timeout(DEADLINE, command.output()).await.expect("it does not start").unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&format!("{} {said}", file.display())), "{text}");
        assert_eq!(file.exists(), content.is_some(), "no key is made");
    }
}

#[tokio::test]
async fn sessions_that_expired_long_ago_are_forgotten() {
    let (db, keys) = (TestDb::create(SERVICE, &migrations()).await, tempfile::tempdir().unwrap());
    let user = ids::new_id();
    sqlx::query(
        "INSERT INTO users (id, email, phone_number, first_name, last_name, roles, created_at, updated_at)
         VALUES ($1, 'a@example.com', '+2348030000001', 'Ada', 'Obi', '{user}', now(), now())",
    )
    .bind(user)
    .execute(&db.pool)
    .await
    .unwrap();
    // Expired 31 days ago, expired yesterday, in force.
    for expires_in_days in [-31, -1, 6] {
        sqlx::query(
            "WITH opened AS (
                 INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at)
                 VALUES ($1, $2, now() - interval '40 days', now(), now() + $3 * interval '1 day') RETURNING id
             )
             INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at)
             SELECT sha256(id::text::bytea), id, 0, now() FROM opened",
        )
        .bind(ids::new_id())
        .bind(user)
        .bind(expires_in_days)
        .execute(&db.pool)
        .await
        .unwrap();
    }
    let mut command = binary(&db);
    command.env("PORT", "0").env("KEYS_DIR", keys.path()).env("KAFKA_BROKERS", "127.0.0.1:9");
    let running = Running::start(command).await;
    let count = async |table: &str| -> i64 {
        let query = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(query).fetch_one(&db.pool).await.unwrap()
    };
    let until_forgotten = async {
        while count("sessions").await > 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, until_forgotten).await.expect("the old session is forgotten");
    assert_eq!((count("sessions").await, count("refresh_tokens").await), (2, 2));
    assert_eq!(running.stop().await.0, Some(0));
}
