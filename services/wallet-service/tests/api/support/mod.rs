//! What the tests of wallets and the ledger share: the service on a database of its own, callers with tokens, and
//! short ways to say what is posted.

pub(crate) mod postings;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{Method, Request, Response, StatusCode, header},
};
use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{
    Claims,
    signing::TokenSigner,
    testing::{self, Callers},
};
use common_db::{DbConfig, testing::TestDb};
use common_events::{Event, EventHandler};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    config::Env,
    ids::{self, TransactionId, UserId, WalletId},
    money::{Currency, Money},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use wallet_service::{
    App, AppState, SERVICE, SERVICE_NAME,
    config::Config,
    ledger::{AccountRef, Ledger, Leg, PlatformAccount, Posting, PostingResult, PostingType},
    owners::TierEvents,
    providers::{self, Providers},
    wallets::UserEvents,
};

/// The service, on a fresh database, with a clock that stands still.
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) state: AppState,
    signer: TokenSigner,
    pub(crate) services: Callers,
    router: Router,
    _keys: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: header::HeaderMap,
    /// Null where it is no JSON.
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// The status and the code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.code())
    }

    /// The fields that a refusal names.
    pub(crate) fn fields(&self) -> Vec<&str> {
        let errors = self.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        errors.iter().filter_map(|error| error["field"].as_str()).collect()
    }
}

impl World {
    pub(crate) async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// For what is about anything but the tiers of owners.
    pub(crate) async fn without_limits() -> Self {
        Self::open_with(&[("TIER_LIMITS", "off")]).await
    }

    /// With these variables in its environment.
    async fn open_with(values: &[(&str, &str)]) -> Self {
        let db = TestDb::create(SERVICE, &wallet_service::migrations()).await;
        let clock = ManualClock::new("2026-01-01T12:00:00Z".parse().unwrap());
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let signer = TokenSigner::ephemeral().unwrap();
        let keys = tempfile::tempdir().unwrap();
        let services = Callers::of(SERVICE_NAME, keys.path(), &shared);
        let authenticator = testing::authenticator(&signer, services.tokens().unwrap(), &shared);
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let config = Config::from_env(&Env::from_values(SERVICE, values.collect())).unwrap();
        let config = Config { database: db.config.clone(), ..config };
        let app = App::new(config, authenticator, Providers::default(), shared).unwrap();
        Self { db, clock, state: app.state().clone(), signer, services, router: app.router(), _keys: keys }
    }

    /// With a provider that issues account numbers. Nobody answers at its address.
    pub(crate) fn with_provider(mut self) -> Self {
        let values = [
            ("PROVIDUS_BASE_URL", "http://127.0.0.1:1/api/v1"),
            ("PROVIDUS_API_KEY", "sk_sandbox_1"),
            ("PROVIDUS_WEBHOOK_SECRET", "secret"),
        ];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.state.providers =
            providers::config::from_env(&Env::from_values(SERVICE, values.into())).unwrap();
        self
    }

    pub(crate) fn ledger(&self) -> Arc<Ledger> {
        Arc::clone(&self.state.ledger)
    }

    /// An access token of this person.
    pub(crate) fn token(&self, user: UserId) -> String {
        self.signer.sign(&testing::claims(user, self.clock.now())).unwrap()
    }

    pub(crate) fn signed(&self, claims: &Claims) -> String {
        self.signer.sign(claims).unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body, text }
    }

    pub(crate) async fn get(&self, user: UserId, path: &str) -> Answer {
        self.send(request(Method::GET, path, &self.token(user), None)).await
    }

    pub(crate) async fn post(&self, user: UserId, path: &str, body: &Value) -> Answer {
        self.send(request(Method::POST, path, &self.token(user), Some(body))).await
    }

    /// With an `Idempotency-Key`.
    pub(crate) async fn post_with_key(&self, user: UserId, path: &str, body: &Value, key: &str) -> Answer {
        let mut request = request(Method::POST, path, &self.token(user), Some(body));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    /// As the service that asks for it.
    pub(crate) async fn internal_get(&self, path: &str) -> Answer {
        self.send(request(Method::GET, path, &self.service_token(), None)).await
    }

    pub(crate) async fn internal_post(&self, path: &str, body: &Value) -> Answer {
        self.send(request(Method::POST, path, &self.service_token(), Some(body))).await
    }

    /// As the service through which staff give orders.
    pub(crate) async fn order(&self, method: Method, path: &str, body: &Value) -> Answer {
        let token = self.services.mint("admin-service").unwrap();
        self.send(request(method, path, &token, Some(body))).await
    }

    pub(crate) fn service_token(&self) -> String {
        self.services.mint("transaction-service").unwrap()
    }

    /// Takes in an event of identity-service, as the consumer does.
    pub(crate) async fn take_in(&self, kind: &str, user: UserId) {
        let handler = UserEvents::new(self.state.clone());
        let event = user_event(kind, user, self.clock.now());
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        handler.handle_in_op(&mut op, &event).await.unwrap();
        op.commit().await.unwrap();
        handler.committed(&event).await;
    }

    /// Takes in what identity-service tells of a tier, as the consumer does.
    pub(crate) async fn tell_tier(&self, user: UserId, tier: i16) {
        self.clock.advance(TimeDelta::seconds(1));
        tell(&self.state, &[tier_event("identity.user.updated", user, tier, self.clock.now())]).await;
    }

    /// What may come in, up to what.
    pub(crate) async fn intake_ceiling(&self, wallet: WalletId) -> Option<i64> {
        sqlx::query_scalar("SELECT intake_ceiling FROM balances WHERE account_id = $1")
            .bind(wallet.uuid())
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// A person with an NGN wallet that holds this much, put in by the platform's owners.
    pub(crate) async fn person_with(&self, amount: i64) -> (UserId, WalletId) {
        let user = UserId::new();
        let wallet = self.wallet(user, "NGN").await;
        if amount > 0 {
            self.fund(wallet, amount).await;
        }
        (user, wallet)
    }

    pub(crate) async fn wallet(&self, user: UserId, currency: &str) -> WalletId {
        let answer = self.post(user, "/api/v1/wallet/wallets", &json!({ "currency": currency })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.body["id"].as_str().unwrap().parse().unwrap()
    }

    pub(crate) async fn fund(&self, wallet: WalletId, amount: i64) {
        let result = self.post_one(posting(vec![leg(equity(), of(wallet), amount)])).await;
        assert_eq!(result.outcome.name(), "posted", "{result:?}");
    }

    pub(crate) async fn post_one(&self, posting: Posting) -> PostingResult {
        self.ledger().post(vec![posting]).await.unwrap()[0]
    }

    pub(crate) async fn balance(&self, wallet: WalletId) -> i64 {
        sqlx::query_scalar("SELECT posted FROM balances WHERE account_id = $1")
            .bind(wallet.uuid())
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    /// What is set aside in it.
    pub(crate) async fn held(&self, wallet: WalletId) -> i64 {
        sqlx::query_scalar("SELECT held FROM balances WHERE account_id = $1")
            .bind(wallet.uuid())
            .fetch_one(&self.db.pool)
            .await
            .unwrap()
    }

    pub(crate) async fn somebody_waits_for_a_lock(&self) -> bool {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')",
        )
        .fetch_one(&self.db.pool)
        .await
        .unwrap()
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        sqlx::query_scalar(statement).fetch_one(&self.db.pool).await.unwrap()
    }

    /// The events of a wallet in the order in which they will be published.
    pub(crate) async fn events(&self, wallet: WalletId) -> Vec<Value> {
        let payloads: Vec<String> =
            sqlx::query_scalar("SELECT payload FROM outbox WHERE key = $1 ORDER BY position")
                .bind(wallet.to_string())
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        payloads.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    /// Fails the test when the ledger is not exact.
    pub(crate) async fn verify(&self) {
        let report = wallet_service::ledger::verify::verify(&self.db.pool, None).await.unwrap();
        assert!(report.is_clean(), "{report}");
    }
}

pub(crate) fn request(method: Method, path: &str, token: &str, body: Option<&Value>) -> Request<Body> {
    let builder =
        Request::builder().method(method).uri(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
    match body {
        Some(body) => builder
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => builder.body(Body::empty()).unwrap(),
    }
}

/// The service's own command, as an operator runs it: its exit status and what it said.
pub(crate) async fn command(database: &DbConfig, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_wallet-service"));
    command.args(arguments).env_clear();
    command.env("DB_HOST", &database.host).env("DB_PORT", database.port.to_string());
    command.env("DB_NAME", &database.name).env("DB_USER", &database.user);
    if let Some(password) = &database.password {
        command.env("DB_PASSWORD", secrecy::ExposeSecret::expose_secret(password));
    }
    let output = command.output().await.unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

pub(crate) fn of(wallet: WalletId) -> AccountRef {
    AccountRef::Wallet(wallet)
}

pub(crate) fn equity() -> AccountRef {
    AccountRef::Platform(PlatformAccount::Equity)
}

pub(crate) fn leg(debit: AccountRef, credit: AccountRef, amount: i64) -> Leg {
    Leg { debit, credit, amount: Money::new(amount, Currency::NGN) }
}

pub(crate) fn posting(legs: Vec<Leg>) -> Posting {
    posting_with_id(TransactionId::new(), legs)
}

pub(crate) fn posting_with_id(id: TransactionId, legs: Vec<Leg>) -> Posting {
    Posting::new(id, PostingType::Transfer, "Lunch", legs).unwrap()
}

pub(crate) fn transfer(from: WalletId, to: WalletId, amount: i64) -> Posting {
    posting(vec![leg(of(from), of(to), amount)])
}

/// Takes in events for what they tell of tiers, as one batch.
pub(crate) async fn tell(state: &AppState, events: &[Event]) {
    let handler = TierEvents::new(Arc::clone(&state.config), Arc::clone(&state.limits_moved));
    let events: Vec<&Event> = events.iter().collect();
    assert!(events.iter().all(|event| handler.takes(event)));
    let mut op = common_db::begin(&state.pool).await.unwrap();
    handler.handle_all_in_op(&mut op, &events).await.unwrap();
    op.commit().await.unwrap();
    for event in events {
        handler.committed(event).await;
    }
}

/// An event of identity-service about this person, of whom nothing was verified.
pub(crate) fn user_event(kind: &str, user: UserId, now: DateTime<Utc>) -> Event {
    tier_event(kind, user, 0, now)
}

/// The same of a person who is in this tier.
pub(crate) fn tier_event(kind: &str, user: UserId, tier: i16, now: DateTime<Utc>) -> Event {
    serde_json::from_value(json!({
        "specversion": "1.0", "id": ids::new_id(), "source": "/identity-service", "type": kind,
        "subject": format!("user/{user}"), "time": now, "datacontenttype": "application/json",
        "dataschema": format!("/schemas/{kind}.v1.json"), "correlationid": "test", "actor": format!("user:{user}"),
        "data": {
            "userId": user, "email": "ada@example.com", "phoneNumber": "+2348031234567", "firstName": "Ada",
            "lastName": "Obi", "kycTier": tier, "roles": ["user"], "status": "active", "createdAt": now
        }
    }))
    .unwrap()
}
