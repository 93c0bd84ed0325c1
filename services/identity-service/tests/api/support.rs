//! One service on a database, a key directory and a clock of its own, and a client for it.

use std::{collections::HashMap, net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use common_auth::testing::Callers;
use common_db::testing::TestDb;
use common_events::testing::no_kafka;
use common_limits::Limits;
use common_utils::{
    clock::{Clock, ManualClock, SharedClock},
    config::{Env, ListenConfig},
    http::TrustedProxies,
    http_client::BreakerConfig,
};
use identity_service::{
    ApiKeyConfig, App, DeviceConfig, HttpKycConfig, PasskeyConfig, ResetConfig, SERVICE, SERVICE_NAME,
    config::{Config, KycPolicyConfig, PasswordConfig, TokenConfig},
    migrations,
    notice_config::NoticeConfig,
};
use reqwest::{Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::authenticator::ORIGIN;

pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// Nobody listens here.
pub(crate) const NOWHERE: &str = "http://127.0.0.1:9";

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) keys: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: String,
    pub(crate) client: reqwest::Client,
    pub(crate) services: Callers,
    config: Config,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

/// Somebody who registered, with the tokens they got.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Where the KYC provider is; it is waited for only shortly.
pub(crate) fn kyc_at(base_url: &str) -> HttpKycConfig {
    HttpKycConfig {
        base_url: base_url.to_owned(),
        api_key: Some("kyc-key-of-the-tests".into()),
        timeout: Duration::from_millis(500),
        breaker: BreakerConfig::default(),
    }
}

impl World {
    /// From now on this person's rows in the table cannot be changed.
    pub(crate) async fn fails_for(&self, table: &str, person: &Person) {
        let id = &person.id;
        let trouble = format!(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trouble'; END $$;
             CREATE TRIGGER trouble BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW
             WHEN (OLD.user_id = '{id}'::uuid) EXECUTE FUNCTION fail()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(trouble)).execute(&self.db.pool).await.unwrap();
    }

    pub(crate) async fn start() -> Self {
        Self::with_kyc(kyc_at(NOWHERE)).await
    }

    /// With passwords that cost next to nothing.
    pub(crate) async fn with_kyc(kyc: HttpKycConfig) -> Self {
        Self::with(kyc, PasswordConfig { memory_kib: 1024, passes: 1 }).await
    }

    pub(crate) async fn with(kyc: HttpKycConfig, passwords: PasswordConfig) -> Self {
        Self::configured(false, |config| (config.kyc, config.passwords) = (kyc, passwords)).await
    }

    /// `adjust` changes what is configured otherwise; `works` runs what the service does beside answering, too.
    pub(crate) async fn configured(works: bool, adjust: impl FnOnce(&mut Config)) -> Self {
        let db = TestDb::create(SERVICE, &migrations()).await;
        let keys = tempfile::tempdir().unwrap();
        let clock = ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap());
        let shared: SharedClock = Arc::clone(&clock) as SharedClock;
        let services = Callers::of(SERVICE_NAME, keys.path(), &shared);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let mut config = Config {
            listen: ListenConfig { host: "127.0.0.1".to_owned(), port: local.port() },
            database: db.config.clone(),
            kafka: no_kafka(),
            keys_dir: keys.path().to_owned(),
            tokens: TokenConfig {
                issuer: "wallet-platform".to_owned(),
                access_lifetime: Duration::from_mins(15),
                session_lifetime: Duration::from_hours(7 * 24),
                secret: None,
            },
            passwords: PasswordConfig { memory_kib: 1024, passes: 1 },
            second_factors: true,
            passkeys: passkeys(),
            devices: DeviceConfig { one_active: true },
            resets: ResetConfig::default(),
            api_keys: ApiKeyConfig::default(),
            notices: NoticeConfig::mailbox(NOWHERE, Duration::from_secs(2)),
            kyc: kyc_at(NOWHERE),
            totp_issuer: "Wallet".to_owned(),
            kyc_policy: KycPolicyConfig { country: "NG".to_owned(), dir: None, upload_mebibytes: 64 },
            limits: Limits::from_env(&Env::from_values(SERVICE, HashMap::new())).unwrap(),
            erasure_retention: Duration::from_hours(24),
            kms: None,
            trusted_proxies: TrustedProxies::default(),
        };
        adjust(&mut config);
        let app = App::new(config.clone(), services.tokens().unwrap(), shared).unwrap();
        let address = format!("http://{local}");
        tokio::spawn(async move {
            if works {
                return app.run(listener, CancellationToken::new()).await;
            }
            let service = app.router().into_make_service_with_connect_info::<SocketAddr>();
            Ok(axum::serve(listener, service).await?)
        });
        Self { db, keys, clock, address, client: reqwest::Client::new(), services, config }
    }

    /// Another instance of the service, which does what it does beside answering.
    pub(crate) async fn second_instance(&self) {
        self.instance(|_| ()).await;
    }

    /// One that `adjust` configures otherwise; answers where it listens.
    pub(crate) async fn instance(&self, adjust: impl FnOnce(&mut Config)) -> String {
        let clock: SharedClock = Arc::clone(&self.clock) as SharedClock;
        let mut config = self.config.clone();
        adjust(&mut config);
        let app = App::new(config, self.services.tokens().unwrap(), clock).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(app.run(listener, CancellationToken::new()));
        address
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(TimeDelta::seconds(seconds));
    }

    pub(crate) fn clock_seconds(&self) -> i64 {
        self.clock.now().timestamp()
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.address))
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let request = self.request(Method::GET, path);
        answer(if let Some(token) = token { request.bearer_auth(token) } else { request }).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.request(Method::POST, &format!("/api/v1/identity{path}")).json(body)).await
    }

    pub(crate) async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(Method::POST, &format!("/api/v1/identity{path}"));
        answer(request.bearer_auth(token).json(body)).await
    }

    pub(crate) async fn me(&self, token: &str) -> Answer {
        self.get("/api/v1/identity/me", Some(token)).await
    }

    /// Registers person number `index`.
    pub(crate) async fn register(&self, index: u32) -> Person {
        let registered = self.post("/register", &registration(index)).await;
        assert_eq!(registered.status, 201, "{registered:?}");
        Person::of(&registered)
    }

    pub(crate) async fn log_in(&self, identifier: &str, password: &str) -> Answer {
        self.post("/login", &json!({ "identifier": identifier, "password": password })).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("/refresh", &json!({ "refreshToken": token })).await
    }

    /// The data of the events of this type that were written, oldest first.
    pub(crate) async fn events(&self, kind: &str) -> Vec<Value> {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT payload FROM outbox WHERE type = $1 ORDER BY position")
                .bind(kind)
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    /// Every row of every table, as text.
    pub(crate) async fn dump(&self) -> String {
        let tables: Vec<String> =
            sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
                .fetch_all(&self.db.pool)
                .await
                .unwrap();
        let mut dump = String::new();
        for table in tables {
            let query = sqlx::AssertSqlSafe(format!("SELECT t::text FROM \"{table}\" AS t"));
            let rows: Vec<String> = sqlx::query_scalar(query).fetch_all(&self.db.pool).await.unwrap();
            dump.push_str(&rows.join("\n"));
            dump.push('\n');
        }
        dump
    }
}

impl Person {
    pub(crate) fn of(signed_in: &Answer) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{signed_in:?}")).to_owned();
        let (user, tokens) = (&signed_in.body["user"], &signed_in.body["tokens"]);
        Self {
            id: text(&user["id"]),
            email: text(&user["email"]),
            phone: text(&user["phoneNumber"]),
            access: text(&tokens["accessToken"]),
            refresh: text(&tokens["refreshToken"]),
        }
    }
}

impl Person {
    /// The session of the access token.
    pub(crate) fn session(&self) -> Uuid {
        let payload = URL_SAFE_NO_PAD.decode(self.access.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        claims["sid"].as_str().unwrap().parse().unwrap()
    }
}

impl Answer {
    /// The problem's status, code, and the field and code of each of its errors.
    pub(crate) fn problem(&self) -> (u16, String, Vec<(String, String)>) {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{self:?}");
        let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned();
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let errors = errors.iter().map(|error| (text(&error["field"]), text(&error["code"]))).collect();
        assert_eq!(self.body["status"], self.status);
        assert_eq!(self.body["correlationId"], self.headers["x-correlation-id"].to_str().unwrap());
        (self.status, text(&self.body["code"]), errors)
    }

    pub(crate) fn code(&self) -> (u16, String) {
        let (status, code, _) = self.problem();
        (status, code)
    }

    pub(crate) fn refresh_token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.body["tokens"]["refreshToken"].as_str().unwrap().to_owned()
    }
}

/// For pages of an app that is being developed.
fn passkeys() -> PasskeyConfig {
    PasskeyConfig {
        rp_id: "localhost".to_owned(),
        rp_name: "Wallet".to_owned(),
        origins: vec![ORIGIN.parse().unwrap()],
    }
}

/// What a refusal must be.
pub(crate) fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What the refusal of one field must be.
pub(crate) fn invalid(field: &str, code: &str) -> (u16, String, Vec<(String, String)>) {
    (422, "validation_failed".to_owned(), vec![(field.to_owned(), code.to_owned())])
}

pub(crate) fn registration(index: u32) -> Value {
    json!({
        "email": format!("person{index}@example.com"),
        "phoneNumber": format!("+23480300{index:05}"),
        "password": PASSWORD,
        "firstName": "Ada",
        "lastName": "Obi",
    })
}

pub(crate) async fn answer(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(json!(text)) };
    Answer { status, headers, body }
}
