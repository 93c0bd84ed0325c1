//! One service of a test's own: database, router, people who call it.

use std::{path::Path, time::Duration};

use admin_service::{
    AdminEvents, App, SERVICE_NAME,
    config::{Config, ServiceUrls, WebhookConfig},
};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use chrono::{DateTime, Utc};
use common_auth::{
    Claims, Role,
    signing::TokenSigner,
    testing::{self as auth, Callers},
};
use common_db::{DbConfig, testing::TestDb};
use common_events::{
    Event, EventHandler, KafkaConfig,
    testing::{no_kafka, redis},
};
use common_utils::{
    clock::{Clock, ManualClock, SharedClock, SystemClock},
    config::{Env, ListenConfig},
    ids::{self, UserId},
};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

use crate::neighbours::Neighbours;

pub(crate) struct World {
    pub(crate) db: TestDb,
    pub(crate) neighbours: Neighbours,
    pub(crate) router: Router,
    address: String,
    signer: TokenSigner,
    keys: TempDir,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) id: Uuid,
    pub(crate) token: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// Status, code, and the fields that are wrong.
    pub(crate) fn refusal(&self) -> (u16, &str, Vec<&str>) {
        let errors = self.body["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let fields = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        (self.status.as_u16(), self.body["code"].as_str().unwrap(), fields)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let db = TestDb::create("admin", &admin_service::migrations()).await;
        let signer = TokenSigner::ephemeral().unwrap();
        let keys = tempfile::tempdir().unwrap();
        let services = Callers::of(SERVICE_NAME, keys.path(), &SystemClock::shared());
        let (neighbours, address) = Neighbours::start(&services).await;
        let mut world = Self { db, neighbours, router: Router::new(), address, signer, keys };
        world.router = world.app(SystemClock::shared(), no_kafka()).router();
        world
    }

    /// An instance of the service on this world's database.
    pub(crate) fn app(&self, clock: SharedClock, kafka: KafkaConfig) -> App {
        self.app_with(clock, kafka, &self.address, true)
    }

    fn app_with(&self, clock: SharedClock, kafka: KafkaConfig, services: &str, allow_private: bool) -> App {
        let config = Config {
            listen: ListenConfig { host: "127.0.0.1".to_owned(), port: 0 },
            database: self.db.config.clone(),
            kafka,
            redis: redis(),
            services: ServiceUrls {
                identity: services.to_owned(),
                wallet: services.to_owned(),
                transaction: services.to_owned(),
            },
            close_after: Duration::from_hours(14 * 24),
            keys_dir: self.keys.path().to_owned(),
            webhooks: WebhookConfig {
                allow_private,
                retention: Duration::from_hours(30 * 24),
                timeout: Duration::from_secs(2),
            },
        };
        let services = Callers::of(SERVICE_NAME, self.keys.path(), &clock).tokens().unwrap();
        let authenticator = auth::authenticator(&self.signer, services, &clock);
        App::new(config, authenticator, clock).unwrap()
    }

    /// What a process of the service on this world's database would be told, with its keys in this world's folder or another.
    pub(crate) fn env(&self, keys: Option<&Path>) -> Env {
        let DbConfig { host, port, name, user, password, .. } = &self.db.config;
        let password = password.as_ref().map(|password| password.expose_secret().to_owned());
        let keys = keys.unwrap_or(self.keys.path()).display().to_string();
        let values = [
            ("DB_HOST", host.clone()),
            ("DB_PORT", port.to_string()),
            ("DB_NAME", name.clone()),
            ("DB_USER", user.clone()),
            ("DB_PASSWORD", password.unwrap_or_default()),
            ("KEYS_DIR", keys),
        ];
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Env::from_values("admin", values)
    }

    /// The service in a world where nobody listens at the other services' addresses.
    pub(crate) fn alone(&self) -> Router {
        self.app_with(SystemClock::shared(), no_kafka(), "http://127.0.0.1:1", true).router()
    }

    /// The service as it is without a setting: it sends webhooks to the public internet alone.
    pub(crate) fn strict(&self) -> Router {
        self.app_with(SystemClock::shared(), no_kafka(), &self.address, false).router()
    }

    /// Somebody with a role of staff or none, whom identity-service knows.
    pub(crate) fn person(&self, role: Role) -> Caller {
        let id = ids::new_id();
        self.neighbours.tell(|known| known.users.insert(id));
        let roles = if role == Role::User { vec![role] } else { vec![Role::User, role] };
        let claims = Claims { roles, ..auth::claims(UserId::from(id), SystemClock.now()) };
        Caller { id, token: self.signer.sign(&claims).unwrap() }
    }

    /// A machine of somebody with this role.
    pub(crate) fn machine(&self, role: Role, scopes: &str) -> Caller {
        let owner = self.person(role);
        let scopes = scopes.parse().unwrap();
        let claims = auth::machine_claims(UserId::from(owner.id), scopes, SystemClock.now());
        Caller { token: self.signer.sign(&claims).unwrap(), ..owner }
    }

    pub(crate) async fn get(&self, by: &Caller, path: &str) -> Answer {
        self.send(Method::GET, path, Some(by), None, None).await
    }

    pub(crate) async fn post(&self, by: &Caller, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(by), Some(body.to_string()), None).await
    }

    pub(crate) async fn post_keyed(&self, by: &Caller, path: &str, body: &Value, key: &str) -> Answer {
        self.send(Method::POST, path, Some(by), Some(body.to_string()), Some(key)).await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        by: Option<&Caller>,
        body: Option<String>,
        key: Option<&str>,
    ) -> Answer {
        send(&self.router, method, path, by, body, key).await
    }

    /// A ticket about nothing in particular.
    pub(crate) async fn ticket(&self, staff: &Caller, requester: &Caller) -> String {
        let body = json!({ "subject": "A question", "description": "Why?", "requesterId": requester.id });
        self.post(staff, "/api/v1/admin/tickets", body).await.expect(201).id()
    }

    /// Takes the event in as the consumer does, without Kafka.
    pub(crate) async fn take_in(&self, event: &Event) {
        let mut op = common_db::begin(&self.db.pool).await.unwrap();
        AdminEvents.handle_in_op(&mut op, event).await.unwrap();
        op.commit().await.unwrap();
    }
}

pub(crate) async fn send(
    router: &Router,
    method: Method,
    path: &str,
    by: Option<&Caller>,
    body: Option<String>,
    key: Option<&str>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(by) = by {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", by.token));
    }
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    if body.is_some() {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    let request = request.body(body.map_or_else(Body::empty, Body::from)).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()));
    Answer { status: parts.status, headers: parts.headers, body }
}

/// An event as another service publishes it.
pub(crate) fn event(kind: &str, subject: &str, actor: &str, data: &Value) -> Event {
    serde_json::from_value(json!({
        "specversion": "1.0", "id": ids::new_id(), "source": "/test", "type": kind, "subject": subject,
        "time": SystemClock.now(), "datacontenttype": "application/json",
        "dataschema": format!("/schemas/{kind}.v1.json"), "correlationid": "a-correlation-id", "actor": actor,
        "data": data,
    }))
    .unwrap()
}

/// A change of somebody's roles or status.
pub(crate) fn user_event(user: Uuid, roles: &[&str], status: &str) -> Event {
    let data = json!({
        "userId": user, "email": "ada@example.com", "phoneNumber": "+2348030000001", "firstName": "Ada",
        "lastName": "Obi", "kycTier": 1, "roles": roles, "status": status, "createdAt": SystemClock.now(),
    });
    event("identity.user.updated", &format!("user/{user}"), &format!("user:{user}"), &data)
}

/// A clock that is ahead by so much.
pub(crate) fn ahead(by: chrono::TimeDelta) -> SharedClock {
    let at: DateTime<Utc> = SystemClock.now() + by;
    ManualClock::new(at)
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Duration::from_mins(1);
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(deadline, asking).await.unwrap_or_else(|_| panic!("in vain waited for: {what}"))
}
