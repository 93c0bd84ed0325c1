//! The service put together: state, router, and what runs in the background.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use chrono::TimeDelta;
use common_auth::{
    Authenticator, password::Passwords, service_token::ServiceTokens, signing::TokenSigner,
    verify::TokenVerifier,
};
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{health::KafkaCheck, relay::Relay, workers::Workers};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::{Env, ListenConfig},
    http::{docs, health::Check, server},
    telemetry::metrics as recorder,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    SERVICE, SERVICE_NAME,
    auth::{self, Auth},
    config::Config,
    crypto::pii::PiiKeys,
    internal, jwks,
    kyc::{self, HttpKycProvider, Kyc},
    metrics, migrations,
    sessions::{self, AccessTokens, Sessions},
    users::{self, Users},
};

/// What the handlers work with.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) clock: SharedClock,
    pub(crate) authenticator: Authenticator,
    pub(crate) users: Users,
    pub(crate) auth: Auth,
    pub(crate) sessions: Sessions,
    pub(crate) kyc: Kyc,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// identity-service, ready to serve.
#[derive(Debug)]
pub struct App {
    config: Config,
    pool: PgPool,
    kafka: KafkaCheck,
    state: AppState,
}

impl App {
    /// Fails when the configuration is wrong or the database's schema is behind.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &migrations(), &format!("{SERVICE_NAME} migrate")).await?;
        let clock = SystemClock::shared();
        let services = ServiceTokens::from_env(env, Arc::clone(&clock))?;
        Self::new(config, services, &clock)
    }

    /// With a clock of the caller's choice, on a database that is migrated.
    pub fn new(config: Config, services: ServiceTokens, clock: &SharedClock) -> anyhow::Result<Self> {
        metrics::register();
        let pool = pool::connect(SERVICE_NAME, &config.database);
        let kafka = KafkaCheck::new(&config.kafka)?;
        let state = AppState::new(&config, &pool, services, clock)?;
        Ok(Self { config, pool, kafka, state })
    }

    /// Where the configuration says it listens.
    pub fn listen(&self) -> &ListenConfig {
        &self.config.listen
    }

    /// Everything the service answers.
    pub fn router(&self) -> Router {
        let (api, openapi) = public().split_for_parts();
        let api = api.merge(internal::router()).with_state(self.state.clone());
        let checks: Vec<Box<dyn Check>> =
            vec![Box::new(DatabaseCheck(self.pool.clone())), Box::new(self.kafka.clone())];
        server::service_router(SERVICE, api, finished(openapi), checks)
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let router = self.router();
        let workers = Workers::new(shutdown.clone());
        workers.relay(Relay {
            service: SERVICE,
            pool: self.pool.clone(),
            database: self.config.database.clone(),
            kafka: self.config.kafka.clone(),
        });
        let (pool, sessions) = (self.pool.clone(), self.state.sessions.clone());
        workers.spawn(|shutdown| pool::watch(SERVICE, pool, shutdown));
        workers.spawn(|shutdown| sessions.keep_purging(shutdown));
        workers.spawn(|shutdown| async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = recorder::upkeep() => {}
            }
        });
        tracing::info!(address = %listener.local_addr()?, "identity-service listens");
        let served = server::serve(listener, router, shutdown).await;
        workers.drained().await;
        self.pool.close().await;
        served
    }
}

impl AppState {
    fn new(
        config: &Config,
        pool: &PgPool,
        services: ServiceTokens,
        clock: &SharedClock,
    ) -> anyhow::Result<Self> {
        let (pool, clock) = (pool.clone(), Arc::clone(clock));
        let signer = Arc::new(TokenSigner::load_or_create(&config.keys_dir)?);
        let issuer = config.tokens.issuer.clone();
        let own_key = [signer.public_key().clone()];
        let tokens = Arc::new(TokenVerifier::with_keys(&issuer, &own_key, Arc::clone(&clock)));
        let access = AccessTokens { signer, issuer, lifetime: config.tokens.access_lifetime };
        let lifetime = TimeDelta::from_std(config.tokens.session_lifetime)?;
        let sessions = Sessions { pool: pool.clone(), clock: Arc::clone(&clock), access, lifetime };
        let users = Users { pool: pool.clone(), clock: Arc::clone(&clock) };
        Ok(Self {
            authenticator: Authenticator { tokens, services },
            auth: Auth {
                pool: pool.clone(),
                clock: Arc::clone(&clock),
                users: users.clone(),
                sessions: sessions.clone(),
                passwords: Passwords::new(config.passwords.memory_kib, config.passwords.passes)?,
            },
            kyc: Kyc {
                pool,
                clock: Arc::clone(&clock),
                users: users.clone(),
                provider: Arc::new(HttpKycProvider::new(config.kyc.clone())?),
                keys: PiiKeys::load_or_create(&config.keys_dir)?,
            },
            clock,
            users,
            sessions,
        })
    }
}

fn public() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(auth::routes::router())
        .merge(sessions::routes::router())
        .merge(users::routes::router())
        .merge(kyc::routes::router())
        .merge(jwks::router())
}

/// The public contract.
pub fn openapi() -> OpenApi {
    finished(public().into_openapi())
}

fn finished(openapi: OpenApi) -> OpenApi {
    docs::finish(
        openapi,
        "Identity",
        "Registering, logging in, sessions, profile and verification of people.",
    )
}
