//! The four services as their routers alone, on databases of their own, asking each other over HTTP. Nothing works in the background, and
//! the clock stands still: the same call is answered the same.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::Router;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_auth::{
    Assurance, Authenticator, Claims, Method as Proof, Role, claims::DEFAULT_ISSUER,
    service_token::ServiceTokens, signing::TokenSigner, testing::Callers, verify::TokenVerifier,
};
use common_db::testing::TestDb;
use common_events::testing::{no_kafka, no_redis};
use common_utils::{
    clock::{ManualClock, SharedClock},
    config::Env,
    ids,
};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    bodies::{self, Body},
    callers::Caller,
    matrix::Route,
    scene::{Person, Scene},
};

const KYC_KEY: &str = "kyc-key-of-the-matrix";

pub(crate) struct Platform {
    pub(crate) people: TestDb,
    addresses: HashMap<&'static str, String>,
    client: reqwest::Client,
    clock: SharedClock,
    keys: TempDir,
    _databases: [TestDb; 3],
    _twin: DropGuard,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        let clock: SharedClock = ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap());
        let keys = tempfile::tempdir().unwrap();
        let own = |service| service_tokens(service, &keys, &clock);
        let mut listeners = HashMap::new();
        let mut addresses = HashMap::new();
        for name in [
            identity_service::SERVICE_NAME,
            wallet_service::SERVICE_NAME,
            transaction_service::SERVICE_NAME,
            admin_service::SERVICE_NAME,
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.insert(name, format!("http://{}", listener.local_addr().unwrap()));
            listeners.insert(name, listener);
        }
        let (twin, twin_ends) = twin().await;
        let values = environment(&addresses, &keys, &twin);
        let env = |service| Env::from_values(service, values.clone());
        let authenticator = |service| {
            let identity = &addresses[identity_service::SERVICE_NAME];
            let tokens = TokenVerifier::with_jwks(DEFAULT_ISSUER, identity, Arc::clone(&clock)).unwrap();
            Authenticator { tokens: Arc::new(tokens), services: own(service) }
        };

        let people = TestDb::create("identity", &identity_service::migrations()).await;
        let mut config = identity_service::config::Config::from_env(&env("identity")).unwrap();
        (config.database, config.kafka) = (people.config.clone(), no_kafka());
        let identity =
            identity_service::App::new(config, own(identity_service::SERVICE_NAME), Arc::clone(&clock))
                .unwrap();

        let wallets = TestDb::create("wallet", &wallet_service::migrations()).await;
        let mut config = wallet_service::config::Config::from_env(&env("wallet")).unwrap();
        (config.database, config.kafka, config.redis) = (wallets.config.clone(), no_kafka(), no_redis());
        let providers = wallet_service::providers::config::from_env(&env("wallet")).unwrap();
        let wallet = wallet_service::App::new(
            config,
            authenticator(wallet_service::SERVICE_NAME),
            providers,
            Arc::clone(&clock),
        )
        .unwrap();

        let transactions = TestDb::create("transaction", &transaction_service::migrations()).await;
        let mut config = transaction_service::config::Config::from_env(&env("transaction")).unwrap();
        (config.database, config.kafka, config.redis) = (transactions.config.clone(), no_kafka(), no_redis());
        let transaction = transaction_service::App::new(
            config,
            authenticator(transaction_service::SERVICE_NAME),
            Arc::clone(&clock),
        )
        .unwrap();

        let tickets = TestDb::create("admin", &admin_service::migrations()).await;
        let mut config = admin_service::config::Config::from_env(&env("admin")).unwrap();
        (config.database, config.kafka, config.redis) = (tickets.config.clone(), no_kafka(), no_redis());
        let admin =
            admin_service::App::new(config, authenticator(admin_service::SERVICE_NAME), Arc::clone(&clock))
                .unwrap();

        for (name, router) in [
            (identity_service::SERVICE_NAME, identity.router()),
            (wallet_service::SERVICE_NAME, wallet.router()),
            (transaction_service::SERVICE_NAME, transaction.router()),
            (admin_service::SERVICE_NAME, admin.router()),
        ] {
            serve(listeners.remove(name).unwrap(), router);
        }
        let client = reqwest::Client::new();
        let databases = [wallets, transactions, tickets];
        Self { people, addresses, client, clock, keys, _databases: databases, _twin: twin_ends }
    }

    pub(crate) async fn scene(&self, route: &Route) -> Scene {
        Scene::set(self, route).await
    }

    pub(crate) fn request(&self, service: &str, method: &str, path: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.addresses[service]))
    }

    /// With which `caller` calls that service.
    pub(crate) fn service_token(&self, caller: &str, service: &'static str) -> String {
        Callers::of(service, self.keys.path(), &self.clock).mint(caller).unwrap()
    }

    /// The token as its session would have it an hour after a second factor was given, signed by the same key.
    fn an_hour_later(&self, token: &str) -> String {
        let claims = claims_of(token);
        self.signed(&Claims {
            auth_time: claims.auth_time.map(|at| at - 3_600),
            amr: vec![Proof::Password, Proof::Totp],
            acr: Assurance::Aal2,
            factors: vec![Proof::Totp],
            ..claims
        })
    }

    fn signed(&self, claims: &Claims) -> String {
        TokenSigner::load_or_create(self.keys.path()).unwrap().sign(claims).unwrap()
    }

    /// The same person's token after they were given that role, which identity-service then finds in its table, too.
    async fn working_as(&self, person: &Person, role: Role) -> String {
        self.give_roles(person, &["user", role.name()]).await;
        let claims = claims_of(&person.access);
        self.signed(&Claims { roles: vec![Role::User, role], ..claims })
    }

    async fn give_roles(&self, person: &Person, roles: &[&str]) {
        let given = sqlx::query("UPDATE users SET roles = $2 WHERE id = $1::uuid");
        given.bind(&person.id).bind(roles).execute(&self.people.pool).await.unwrap();
    }

    /// What the caller is answered, and whether it is that the body does not fit.
    pub(crate) async fn call(&self, scene: &Scene, route: &Route, caller: Caller) -> (u16, bool) {
        let request = self.request(route.service, &route.method, &scene.path(route));
        let request = request.header("Idempotency-Key", ids::new_id().to_string());
        let request = match bodies::of(route, scene, caller) {
            Body::None => request,
            Body::Json(body) => request.json(&body),
            Body::Form(form) => request.form(&form),
            Body::Photo(bytes) => request.header("Content-Type", "image/jpeg").body(bytes),
        };
        let token = match caller {
            Caller::Nobody => None,
            // It tells who it is in the form, and may not do so in two ways (RFC 6749, 2.3).
            _ if route.path.ends_with("/oauth/token") => None,
            Caller::Machine => Some(scene.machine.clone()),
            Caller::StaleOwner => Some(self.an_hour_later(&scene.person(caller).access)),
            owner if owner.is_owning_staff() => {
                Some(self.working_as(scene.person(owner), owner.role().unwrap()).await)
            }
            service if service.is_service() => Some(self.service_token(service.name(), route.service)),
            person => Some(scene.person(person).access.clone()),
        };
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        let answer = request.send().await.unwrap();
        if caller.is_owning_staff() {
            self.give_roles(scene.person(caller), &["user"]).await;
        }
        let status = answer.status().as_u16();
        let problem: Value = answer.json().await.unwrap_or_default();
        (status, problem["code"] == "validation_failed" || status == 400)
    }
}

fn claims_of(token: &str) -> Claims {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

fn service_tokens(service: &'static str, keys: &TempDir, clock: &SharedClock) -> ServiceTokens {
    Callers::of(service, keys.path(), clock).tokens().unwrap()
}

/// Who looks numbers up. It ends with the guard.
async fn twin() -> (String, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = provider_twin::Config::new("sk_sandbox_1", "secret", KYC_KEY);
    let stop = CancellationToken::new();
    tokio::spawn(provider_twin::run(listener, config, stop.clone()));
    (address, stop.drop_guard())
}

fn environment(
    addresses: &HashMap<&'static str, String>,
    keys: &TempDir,
    twin: &str,
) -> HashMap<String, String> {
    let address = |name| addresses[name].clone();
    let values = [
        ("IDENTITY_URL", address(identity_service::SERVICE_NAME)),
        ("WALLET_URL", address(wallet_service::SERVICE_NAME)),
        ("TRANSACTION_URL", address(transaction_service::SERVICE_NAME)),
        ("KEYS_DIR", keys.path().to_str().unwrap().to_owned()),
        // Passwords that cost next to nothing: there are many people here.
        ("ARGON2_MEMORY_KIB", "64".to_owned()),
        ("ARGON2_PASSES", "1".to_owned()),
        // Nobody listens there, and nothing here asks.
        ("PROVIDUS_BASE_URL", "http://127.0.0.1:1/api/v1".to_owned()),
        ("PROVIDUS_API_KEY", "sk_sandbox_1".to_owned()),
        ("PROVIDUS_WEBHOOK_SECRET", "secret".to_owned()),
        ("MAILBOX_URL", "http://127.0.0.1:1".to_owned()),
        ("KYC_BASE_URL", twin.to_owned()),
        ("KYC_API_KEY", KYC_KEY.to_owned()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn serve(listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
}
