//! The service put together: its routes, and what runs beside them. What both share is in `state`.

use std::sync::Arc;

use axum::Router;
use common_auth::service_token::ServiceTokens;
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{health::KafkaCheck, registry, workers::Workers};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::{RouteInfo, Routes, docs, health::Check, server},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

pub(crate) use crate::state::AppState;
use crate::{
    SERVICE, SERVICE_NAME, api_keys, auth,
    config::Config,
    contacts,
    crypto::vault,
    deactivation, devices, erasure, factors, internal, jwks, keys, kyc, metrics, migrations,
    notices::{self, entity::Channel},
    passkeys, passwords, pin, sessions, tidy, users,
};

/// identity-service, ready to serve.
#[derive(Debug)]
pub struct App {
    config: Config,
    pool: PgPool,
    state: AppState,
    router: Router,
}

impl App {
    /// Fails when the configuration is wrong, the database's schema is behind, or the key of its data is lost.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &migrations(), &format!("{SERVICE_NAME} migrate")).await?;
        registry::register_on_start(env, SERVICE_NAME).await?;
        let pool = pool::connect(SERVICE_NAME, &config.database);
        vault::require_keys(&pool, &config.keys_dir, config.kms.as_ref()).await?;
        factors::require_key(&pool, &config.keys_dir).await?;
        let clock = SystemClock::shared();
        let services = ServiceTokens::from_env(env, SERVICE_NAME, Arc::clone(&clock))?;
        Self::on(pool, config, services, clock)
    }

    /// With a clock and tokens of the caller's own, on a database that is migrated.
    pub fn new(config: Config, services: ServiceTokens, clock: SharedClock) -> anyhow::Result<Self> {
        Self::on(pool::connect(SERVICE_NAME, &config.database), config, services, clock)
    }

    fn on(pool: PgPool, config: Config, services: ServiceTokens, clock: SharedClock) -> anyhow::Result<Self> {
        metrics::register();
        notices::register();
        kyc::cases::metrics::register();
        let checks: Vec<Box<dyn Check>> =
            vec![Box::new(DatabaseCheck(pool.clone())), Box::new(KafkaCheck::new(&config.kafka)?)];
        let state = AppState::new(&config, &pool, services, clock)?;
        let api = all().with_state(state.clone());
        let router = server::service_router(SERVICE, api, openapi(), checks);
        Ok(Self { config, pool, state, router })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All routes: the public ones, those for other services, and those that every service has.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "{SERVICE_NAME} listens");
        let Self { config, pool, state, router } = self;
        let workers = Workers::new(&shutdown);
        workers.common(SERVICE, &pool, &config.database, &config.kafka);
        state.work(&workers);
        let served = server::serve(listener, router, shutdown).await;
        workers.drained().await;
        pool.close().await;
        served
    }
}

impl AppState {
    /// What this service does beside answering.
    fn work(&self, workers: &Workers) {
        let (signer, tokens) = (self.sessions.access.signer.clone(), Arc::clone(&self.authenticator.tokens));
        workers.spawn(|shutdown| keys::keep_fresh(signer, tokens, shutdown));
        workers.spawn(|shutdown| self.sessions.clone().keep_purging(shutdown));
        for channel in Channel::ALL {
            workers.spawn(|shutdown| self.contacts.notices.clone().send(channel, shutdown));
        }
        workers.spawn(|shutdown| notices::watch(self.contacts.notices.clone(), shutdown));
        workers.spawn(|shutdown| self.passwords.clone().keep_looking_up(shutdown));
        workers.spawn(|shutdown| self.kyc.clone().move_to_own_keys(shutdown));
        workers.spawn(|shutdown| self.cases.clone().keep_checking(shutdown));
        workers.spawn(|shutdown| self.cases.clone().keep_verified(shutdown));
        workers.spawn(|shutdown| kyc::cases::metrics::watch(self.cases.clone(), shutdown));
        workers.spawn(|shutdown| self.erasures.clone().keep_forgetting(shutdown));
        workers.spawn(|shutdown| tidy::keep_tidy(self.clone(), shutdown));
    }
}

/// What the gateway routes to.
fn public() -> Routes<AppState> {
    Routes::new()
        .merge(auth::routes::router())
        .merge(sessions::routes::router())
        .merge(sessions::routes_list::router())
        .merge(users::routes::router())
        .merge(contacts::routes::router())
        .merge(passwords::routes::router())
        .merge(deactivation::routes::router())
        .merge(api_keys::routes::router())
        .merge(api_keys::routes_token::router())
        .merge(factors::routes::router())
        .merge(pin::routes::router())
        .merge(passkeys::routes::router())
        .merge(passkeys::routes_use::router())
        .merge(devices::routes::router())
        .merge(devices::routes_use::router())
        .merge(erasure::routes::router())
        .merge(kyc::routes::router())
        .merge(kyc::validity::routes::router())
        .merge(kyc::cases::routes::router())
        .merge(kyc::documents::routes::router())
        .merge(kyc::reviews::routes::router())
        .merge(jwks::router())
}

/// That, and what only other services call.
fn all() -> Routes<AppState> {
    public().merge(internal::router())
}

/// Every route of this service, with who may call it.
pub fn routes() -> Vec<RouteInfo> {
    all().table().to_vec()
}

/// The public contract.
pub fn openapi() -> OpenApi {
    docs::finish(
        public().into_openapi(),
        "Identity",
        "Registering, logging in, sessions, profile, contacts, passwords and verification of people.",
    )
}
