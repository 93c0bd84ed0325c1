//! What the tests of account numbers and webhooks share: the provider's twin and this service, each on a real
//! listener, a real database, and a stand-in for identity's internal contract.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    routing::get,
};
use common_auth::{
    service_token::ServiceTokens,
    signing::TokenSigner,
    testing::{self, Callers},
};
use common_db::testing::TestDb;
use common_utils::{
    clock::SystemClock,
    config::Env,
    http::server,
    ids::{UserId, WalletId},
};
use serde_json::{Value, json};
use sqlx::Row;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;
use wallet_service::{
    App, AppState, SERVICE, SERVICE_NAME,
    config::Config,
    providers::{Providers, xpress},
    virtual_accounts,
    webhooks::Patience,
    work::Backoff,
};

use crate::support::{tell, tier_event};

const API_KEY: &str = "sk_sandbox_test";
const WEBHOOK_SECRET: &str = "whsec-test";
const QUICK: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
/// What the tests wait for happens long before.
const DEADLINE: Duration = Duration::from_secs(20);

/// Identity's `GET /internal/v1/users/{id}/kyc`, as the contract has it.
#[derive(Debug, Clone)]
struct IdentityStandIn {
    people: Arc<Mutex<HashMap<Uuid, Value>>>,
    tokens: ServiceTokens,
}

pub(crate) struct Bank {
    pub(crate) db: TestDb,
    pub(crate) state: AppState,
    pub(crate) service: String,
    pub(crate) twin: String,
    http: reqwest::Client,
    identity: IdentityStandIn,
    _keys: TempDir,
    _stop: DropGuard,
}

/// A worker of this service, which stops when it is dropped.
pub(crate) struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start<F: Future<Output = ()> + Send + 'static>(worker: impl FnOnce(CancellationToken) -> F) -> Self {
        let stop = CancellationToken::new();
        Self { task: tokio::spawn(worker(stop.clone())), stop }
    }

    pub(crate) async fn stopped(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    (listener, address)
}

fn env(identity: &str) -> Env {
    let kafka = std::env::var("TEST_KAFKA_BROKERS").unwrap_or_else(|_| "127.0.0.1:9092".to_owned());
    let values = [("IDENTITY_URL", identity), ("KAFKA_BROKERS", kafka.as_str())];
    let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Env::from_values(SERVICE, values.into_iter().collect())
}

fn providers(twin: &str) -> Providers {
    let config = xpress::Config {
        base_url: format!("{twin}/api/v1").parse().unwrap(),
        api_key: API_KEY.into(),
        webhook_secret: WEBHOOK_SECRET.into(),
        timeout: Duration::from_secs(5),
    };
    Providers::new(vec![Box::new(xpress::XpressWallet::new(&config).unwrap())], Some(xpress::NAME)).unwrap()
}

impl Bank {
    /// Everything but the workers.
    pub(crate) async fn open() -> Self {
        let stop = CancellationToken::new();
        let db = TestDb::create(SERVICE, &wallet_service::migrations()).await;
        let ((twin_listener, twin), (listener, service)) = (listen().await, listen().await);
        let twin_config = provider_twin::Config {
            webhook_url: format!("{service}/api/v1/wallet/webhooks/providus"),
            ..provider_twin::Config::new(API_KEY, WEBHOOK_SECRET, "kyc")
        };
        tokio::spawn(provider_twin::run(twin_listener, twin_config, stop.clone()));

        let clock = SystemClock::shared();
        let keys = tempfile::tempdir().unwrap();
        let services = Callers::of(SERVICE_NAME, keys.path(), &clock);
        let tokens = services.calling("identity-service").tokens().unwrap();
        let identity = IdentityStandIn { people: Arc::default(), tokens };
        let identity_url = identity.serve(stop.clone()).await;
        let signer = TokenSigner::ephemeral().unwrap();
        let authenticator = testing::authenticator(&signer, services.tokens().unwrap(), &clock);
        let config = Config { database: db.config.clone(), ..Config::from_env(&env(&identity_url)).unwrap() };
        let app = App::new(config, authenticator, providers(&twin), clock).unwrap();
        let state = app.state().clone();
        tokio::spawn(server::serve(listener, app.router(), stop.clone()));
        Self {
            db,
            state,
            service,
            twin,
            http: reqwest::Client::new(),
            identity,
            _keys: keys,
            _stop: stop.drop_guard(),
        }
    }

    pub(crate) fn issuer(&self) -> Running {
        let issuing = virtual_accounts::Issuing { backoff: QUICK, ..self.state.issuing().unwrap() };
        Running::start(|stop| issuing.run(stop))
    }

    pub(crate) fn handler(&self) -> Running {
        self.handler_with(Patience { doubtful: 3, unanswered: 1_000 })
    }

    pub(crate) fn handler_with(&self, patience: Patience) -> Running {
        let handling =
            wallet_service::webhooks::Handling { backoff: QUICK, patience, ..self.state.handling() };
        Running::start(|stop| handling.run(stop))
    }

    /// A worker that releases deposits once they fit.
    pub(crate) fn releaser(&self) -> Running {
        let releasing = self.state.releasing();
        Running::start(|stop| releasing.run(stop))
    }

    /// Takes in what identity-service tells of a tier.
    pub(crate) async fn tell_tier(&self, user: UserId, tier: i16) {
        let event = tier_event("identity.user.updated", user, tier, self.state.clock.now());
        tell(&self.state, &[event]).await;
    }

    /// A registered person with an NGN wallet, not verified yet.
    pub(crate) async fn wallet(&self) -> (UserId, WalletId) {
        let (user, wallet) = (UserId::new(), WalletId::new());
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        for statement in [
            "INSERT INTO accounts (id, kind, currency, created_at) SELECT $1, 'customer', 'NGN', now() WHERE $2 <> $1",
            "INSERT INTO balances (account_id, currency, may_overdraw, updated_at)
             SELECT $1, 'NGN', false, now() WHERE $2 <> $1",
            "INSERT INTO wallets (id, user_id, currency, place, created_at) VALUES ($1, $2, 'NGN', 0, now())",
        ] {
            sqlx::query(statement).bind(wallet.uuid()).bind(user.uuid()).execute(&mut *op).await.unwrap();
        }
        op.commit().await.unwrap();
        (user, wallet)
    }

    pub(crate) async fn request(&self, user: UserId, wallet: WalletId) {
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        let now = self.state.clock.now();
        let asked = virtual_accounts::request_in_op(&mut op, xpress::NAME, wallet, user, now).await.unwrap();
        assert!(asked);
        assert!(!virtual_accounts::request_in_op(&mut op, xpress::NAME, wallet, user, now).await.unwrap());
        op.commit().await.unwrap();
        self.state.accounts_wanted.notify_one();
    }

    pub(crate) fn verify(&self, user: UserId, person: Value) {
        self.identity.people.lock().unwrap().insert(user.uuid(), person);
    }

    /// A wallet with an account number, and that number and the customer at the provider.
    pub(crate) async fn account(&self) -> Account {
        let (user, wallet) = self.wallet().await;
        self.verify(user, person(user));
        let issuer = self.issuer();
        self.request(user, wallet).await;
        let number = eventually("an account number", || self.number(wallet)).await;
        issuer.stopped().await;
        let customer =
            self.one("SELECT customer_id FROM provider_customers WHERE user_id = $1", user.uuid()).await;
        Account { user, wallet, number, customer }
    }

    pub(crate) async fn number(&self, wallet: WalletId) -> Option<String> {
        let row = sqlx::query(
            "SELECT account_number FROM virtual_accounts WHERE wallet_id = $1 AND status = 'active'",
        )
        .bind(wallet.uuid())
        .fetch_optional(&self.db.pool)
        .await
        .unwrap();
        row.map(|row| row.get(0))
    }

    /// The one value of a statement that takes one id.
    pub(crate) async fn one<T>(&self, statement: &'static str, id: Uuid) -> T
    where
        T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
    {
        sqlx::query_scalar(statement).bind(id).fetch_one(&self.db.pool).await.unwrap()
    }

    pub(crate) async fn balance(&self, wallet: WalletId) -> i64 {
        self.one("SELECT posted FROM balances WHERE account_id = $1", wallet.uuid()).await
    }

    /// What the books say of an account of the platform; zero where it was never used.
    pub(crate) async fn platform(&self, code: &'static str) -> i64 {
        sqlx::query_scalar("SELECT COALESCE(sum(posted), 0)::bigint FROM balances JOIN accounts ON id = account_id WHERE code = $1")
            .bind(code)
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// Status and result of every webhook, oldest first.
    pub(crate) async fn webhooks(&self) -> Vec<(String, Option<String>)> {
        let rows =
            sqlx::query("SELECT status, result FROM webhooks ORDER BY id").fetch_all(&self.db.pool).await;
        rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// Waits until nothing is left to be handled.
    pub(crate) async fn settled(&self, count: usize) -> Vec<(String, Option<String>)> {
        eventually("the end of all webhooks", async || {
            let all = self.webhooks().await;
            let settled = all.len() == count && all.iter().all(|(status, _)| status != "received");
            settled.then_some(all)
        })
        .await
    }

    /// The data of all events of a type, oldest first.
    pub(crate) async fn events(&self, kind: &'static str) -> Vec<Value> {
        let rows = sqlx::query("SELECT payload FROM outbox WHERE type = $1 ORDER BY position")
            .bind(kind)
            .fetch_all(&self.db.pool)
            .await
            .unwrap();
        rows.iter().map(|row| serde_json::from_str(row.get(0)).unwrap()).collect()
    }

    /// Makes money arrive at the bank; answers with its reference.
    pub(crate) async fn transfer_in(&self, number: &str, amount: &str, deliveries: u32) -> String {
        let body = json!({"accountNumber": number, "amount": amount, "senderName": "Bola Example", "deliveries": deliveries});
        let (status, answer) = self.ask_twin("/twin/inbound-transfers", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{answer}");
        answer["reference"].as_str().unwrap().to_owned()
    }

    /// A bank whose own webhooks do not arrive: the tests send them by hand.
    pub(crate) async fn twin_is(&self, mode: &str) {
        let (status, _) = self.ask_twin("/twin/faults", &json!({ "mode": mode })).await;
        assert_eq!(status, StatusCode::OK);
    }

    pub(crate) async fn ask_twin(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.twin)).bearer_auth(API_KEY).json(body);
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Sends a body as the provider does.
    pub(crate) async fn deliver(&self, body: impl Into<Vec<u8>>) -> (StatusCode, Value) {
        let body = body.into();
        let signature = provider_twin::signature(&WEBHOOK_SECRET.into(), &body).unwrap();
        self.send("providus", Some(&signature), body).await
    }

    pub(crate) async fn send(
        &self,
        provider: &str,
        signature: Option<&str>,
        body: Vec<u8>,
    ) -> (StatusCode, Value) {
        let url = format!("{}/api/v1/wallet/webhooks/{provider}", self.service);
        let mut request = self.http.post(url).header(header::CONTENT_TYPE, "application/json").body(body);
        if let Some(signature) = signature {
            request = request.header(provider_twin::SIGNATURE_HEADER, signature);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }
}

/// A wallet that money can be sent to.
pub(crate) struct Account {
    pub(crate) user: UserId,
    pub(crate) wallet: WalletId,
    pub(crate) number: String,
    pub(crate) customer: String,
}

/// Somebody whom nobody else resembles.
pub(crate) fn person(user: UserId) -> Value {
    let tail: u64 = rand::random_range(0..100_000_000);
    json!({
        "userId": user, "bvn": format!("222{tail:08}"), "dateOfBirth": "1990-01-31", "firstName": "Ada",
        "lastName": "Example", "phoneNumber": format!("+23480{tail:08}"), "email": format!("ada{tail}@example.com"),
    })
}

/// A webhook that tells of money, as the provider writes it.
pub(crate) fn funded(reference: &str, amount: &str, customer: &str) -> String {
    json!({"event": "account_funded", "data": {"reference": reference, "amount": amount, "userId": customer, "type": "STATIC"}})
        .to_string()
}

/// Asks again until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, asked).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

impl IdentityStandIn {
    async fn serve(&self, stop: CancellationToken) -> String {
        let (listener, address) = listen().await;
        let router = Router::new().route("/internal/v1/users/{id}/kyc", get(kyc)).with_state(self.clone());
        tokio::spawn(
            axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).into_future(),
        );
        address
    }
}

async fn kyc(
    State(identity): State<IdentityStandIn>,
    Path(user): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let token =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let caller = token.and_then(|token| identity.tokens.verify(token));
    if caller.as_deref() != Some("wallet-service") {
        return Err(StatusCode::FORBIDDEN);
    }
    let person = identity.people.lock().unwrap().get(&user).cloned();
    person.map(Json).ok_or(StatusCode::NOT_FOUND)
}
