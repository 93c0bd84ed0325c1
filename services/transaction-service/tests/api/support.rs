//! The service under test, on a database of its own, with people who call it.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{
    Authenticator, Claims,
    signing::TokenSigner,
    testing::{self as auth, Callers},
};
use common_db::{PgPool, testing::TestDb};
use common_events::testing::{no_kafka, no_redis};
use common_limits::Limits;
use common_utils::{
    clock::{Clock, ManualClock, SharedClock, SystemClock},
    config::{Env, ListenConfig},
    ids::{self, UserId},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;
use transaction_service::{App, ApprovalAbove, SERVICE_NAME, config::Config};
use uuid::Uuid;

use crate::peers::{Account, Peers, Person, new_person};

pub(crate) const TRANSFERS: &str = "/api/v1/transactions/transfers";
pub(crate) const TRANSACTIONS: &str = "/api/v1/transactions";
const DEADLINE: Duration = Duration::from_secs(20);

/// An answer, read whole.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The fields that were refused, as `field code`.
    pub(crate) fn fields(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let word = |error: &Value, name: &str| error[name].as_str().unwrap().to_owned();
        errors.iter().map(|error| format!("{} {}", word(error, "field"), word(error, "code"))).collect()
    }

    pub(crate) fn replayed(&self) -> bool {
        self.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
    }

    pub(crate) fn retry_after(&self) -> u64 {
        self.headers["retry-after"].to_str().unwrap().parse().unwrap()
    }

    pub(crate) fn id(&self) -> Uuid {
        self.body["id"].as_str().unwrap().parse().unwrap()
    }
}

/// Somebody with one wallet and NGN 1,000.00 in it.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) person: Person,
    pub(crate) wallet: Uuid,
    pub(crate) number: String,
    pub(crate) token: String,
}

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) peers: Peers,
    pub(crate) services: Callers,
    pub(crate) router: Router,
    pub(crate) config: Config,
    signer: TokenSigner,
    authenticator: Authenticator,
    _keys: TempDir,
}

pub(crate) const START: &str = "2026-03-01T12:00:00Z";

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let db = TestDb::create("transaction", &transaction_service::migrations()).await;
        let clock = ManualClock::new(START.parse().unwrap());
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let keys = tempfile::tempdir().unwrap();
        let services = Callers::of(SERVICE_NAME, keys.path(), &shared);
        let signer = TokenSigner::ephemeral().unwrap();
        let authenticator = auth::authenticator(&signer, services.tokens().unwrap(), &shared);
        let programs = Callers::of(SERVICE_NAME, keys.path(), &SystemClock::shared());
        let peers = Peers::start([&services, &programs], signer.public_key().clone()).await;
        let mut config = config(&db, &peers.url, &keys);
        adjust(&mut config);
        let router = App::new(config.clone(), authenticator.clone(), shared).unwrap().router();
        Self { db, clock, peers, services, router, config, signer, authenticator, _keys: keys }
    }

    /// Another instance of the service, with its workers, until the token is cancelled.
    pub(crate) async fn run_instance(&self) -> CancellationToken {
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        let app = App::new(self.config.clone(), self.authenticator.clone(), clock).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        tokio::spawn(app.run(listener, shutdown.clone()));
        shutdown
    }

    /// What another instance answers with, without its workers.
    pub(crate) fn second_router(&self) -> Router {
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        App::new(self.config.clone(), self.authenticator.clone(), clock).unwrap().router()
    }

    /// For a service on this platform, with a list of what was taken back for one process alone.
    pub(crate) fn authenticator_of(&self, service: &'static str) -> Authenticator {
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        auth::authenticator(&self.signer, self.services.calling(service).tokens().unwrap(), &clock)
    }

    pub(crate) fn signed(&self, claims: &Claims) -> String {
        self.signer.sign(claims).unwrap()
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.db.pool
    }

    /// A customer whom identity-service and wallet-service know; the directory does not yet.
    pub(crate) fn customer(&self, first: &str, last: &str) -> Customer {
        let person = new_person(first, last);
        let (wallet, number) = self.open_wallet(&person, "NGN", 100_000);
        self.peers.book().people.push(person.clone());
        let token = self.token(person.id);
        Customer { person, wallet, number, token }
    }

    pub(crate) fn open_wallet(
        &self,
        person: &Person,
        currency: &'static str,
        balance: i64,
    ) -> (Uuid, String) {
        let wallet = ids::new_id();
        let number = format!("{:010}", wallet.as_u128() % 10_000_000_000);
        self.peers.book().accounts.push(Account {
            wallet,
            user: person.id,
            currency,
            number: Some(number.clone()),
            balance,
            frozen: false,
        });
        (wallet, number)
    }

    pub(crate) fn token(&self, user: Uuid) -> String {
        self.token_at(user, self.clock.now())
    }

    pub(crate) fn token_at(&self, user: Uuid, now: DateTime<Utc>) -> String {
        let claims = auth::claims(UserId::from(user), now);
        self.signer.sign(&Claims { exp: now.timestamp() + 100_000, ..claims }).unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.send(request("GET", path, token).body(Body::empty()).unwrap()).await
    }

    /// Sends money with this key.
    pub(crate) async fn transfer(&self, sender: &Customer, key: &str, body: &Value) -> Answer {
        self.send(transfer_request(sender, key, body)).await
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    /// The type, subject, actor and correlation id of each event so far.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let payloads: Vec<String> = sqlx::query_scalar("SELECT payload FROM outbox ORDER BY position")
            .fetch_all(self.pool())
            .await
            .unwrap();
        payloads.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    pub(crate) async fn event_types(&self) -> Vec<String> {
        self.events().await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn statuses(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT status FROM transactions ORDER BY created_at, id")
            .fetch_all(self.pool())
            .await
            .unwrap()
    }

    /// Waits until the transactions have these statuses.
    pub(crate) async fn wait_for_statuses(&self, wanted: &[&str]) {
        let found = eventually(async || (self.statuses().await == wanted).then_some(())).await;
        assert!(found.is_some(), "{:?} instead of {wanted:?}", self.statuses().await);
    }
}

fn config(db: &TestDb, peers: &str, keys: &TempDir) -> Config {
    Config {
        listen: ListenConfig { host: "127.0.0.1".to_owned(), port: 0 },
        database: db.config.clone(),
        // Whoever does not set another one shows that Kafka is not needed.
        kafka: no_kafka(),
        redis: no_redis(),
        identity_url: peers.to_owned(),
        wallet_url: peers.to_owned(),
        keys_dir: keys.path().to_owned(),
        open_currencies: "NGN,USD".parse().unwrap(),
        limits: Limits::from_env(&Env::from_values("transaction", [].into())).unwrap(),
        approval_above: ApprovalAbove::default(),
        call_timeout: Duration::from_millis(700),
        transfer_lease: Duration::from_secs(15),
    }
}

/// Asks again until there is an answer, for a bounded time.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let wait = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.ok()
}

pub(crate) fn request(method: &str, path: &str, token: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("x-correlation-id", "test-17")
}

pub(crate) fn transfer_request(sender: &Customer, key: &str, body: &Value) -> Request<Body> {
    request("POST", TRANSFERS, &sender.token)
        .header("idempotency-key", key)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(crate) async fn read(response: axum::response::Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer { status: parts.status, headers: parts.headers, body }
}

/// The body of a transfer of kobo.
pub(crate) fn naira(from: Uuid, to: &Value, amount: i64) -> Value {
    json!({"fromWalletId": from, "to": to, "amount": {"amount": amount, "currency": "NGN"}})
}

/// The body of a transfer between two customers.
pub(crate) fn between(from: &Customer, to: &Customer, amount: i64) -> Value {
    naira(from.wallet, &json!({"walletId": to.wallet}), amount)
}
