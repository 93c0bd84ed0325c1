//! The service put together: its state, its routes, and what runs beside them.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use common_auth::Authenticator;
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{
    Consumer, Topic,
    dedup::{self, Dedup},
    health::{KafkaCheck, RedisCheck},
    relay::Relay,
    workers::Workers,
};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::{docs, health::Check, server},
    telemetry::metrics,
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    SERVICE, SERVICE_NAME,
    config::Config,
    ledger::{self, Ledger},
    providers::{self, Providers},
    virtual_accounts::{Identity, Issuing},
    wallets::{self, UserEvents},
    webhooks::{self, Handling, Patience},
    work::Backoff,
};

/// What handlers and workers share.
#[derive(Debug, Clone)]
pub struct AppState {
    pub pool: PgPool,
    pub clock: SharedClock,
    pub config: Arc<Config>,
    pub authenticator: Authenticator,
    pub ledger: Arc<Ledger>,
    /// Told after a commit that asked for account numbers, so that the issuing worker looks at once.
    pub accounts_wanted: Arc<Notify>,
    /// Told after a webhook was stored, so that its worker looks at once.
    pub webhooks_arrived: Arc<Notify>,
    pub providers: Providers,
}

impl AppState {
    pub fn new(pool: PgPool, clock: SharedClock, config: Config, authenticator: Authenticator) -> Self {
        Self {
            ledger: Arc::new(Ledger::new(pool.clone(), Arc::clone(&clock))),
            pool,
            clock,
            config: Arc::new(config),
            authenticator,
            accounts_wanted: Arc::new(Notify::new()),
            webhooks_arrived: Arc::new(Notify::new()),
            providers: Providers::default(),
        }
    }

    /// With these providers; without any, no account numbers are issued and no webhooks taken.
    #[must_use]
    pub fn with_providers(self, providers: Providers) -> Self {
        Self { providers, ..self }
    }

    /// What the worker needs that gets account numbers.
    pub fn issuing(&self) -> anyhow::Result<Issuing> {
        let identity = Identity::new(&self.config.identity_url, self.authenticator.services.clone())?;
        Ok(Issuing {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            providers: self.providers.clone(),
            identity,
            wake: Arc::clone(&self.accounts_wanted),
            backoff: Backoff::default(),
        })
    }

    /// What the worker needs that handles webhooks.
    pub fn handling(&self) -> Handling {
        Handling {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            ledger: Arc::clone(&self.ledger),
            providers: self.providers.clone(),
            wake: Arc::clone(&self.webhooks_arrived),
            backoff: Backoff::default(),
            patience: Patience::default(),
        }
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

#[derive(Debug)]
pub struct App {
    state: AppState,
}

impl App {
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &crate::migrations(), "wallet-service migrate").await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, &clock)?;
        let pool = pool::connect(SERVICE, &config.database);
        let providers = providers::config::from_env(env)?;
        Ok(Self { state: AppState::new(pool, clock, config, authenticator).with_providers(providers) })
    }

    /// From a state of the caller's own; for tests.
    pub fn with_state(state: AppState) -> Self {
        Self { state }
    }

    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// All routes: the public ones, those for other services, and those that every service has.
    pub fn router(&self) -> anyhow::Result<Router> {
        let (public, openapi) = public_routes().split_for_parts();
        let (internal, _) = internal_routes().split_for_parts();
        let api = public.merge(internal).with_state(self.state.clone());
        Ok(server::service_router(SERVICE, api, openapi, self.checks()?))
    }

    fn checks(&self) -> anyhow::Result<Vec<Box<dyn Check>>> {
        Ok(vec![
            Box::new(DatabaseCheck(self.state.pool.clone())),
            Box::new(KafkaCheck::new(&self.state.config.kafka)?),
            Box::new(RedisCheck(dedup::connect(&self.state.config.redis)?)),
        ])
    }

    /// Serves until `shutdown`, with the relay, the consumer and the workers; then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let router = self.router()?;
        let workers = Workers::new(shutdown.clone());
        self.start(&workers)?;
        server::serve(listener, router, shutdown).await?;
        workers.drained().await;
        Ok(())
    }

    fn start(&self, workers: &Workers) -> anyhow::Result<()> {
        let AppState { pool, config, .. } = &self.state;
        ledger::metrics::register();
        let (gauged, kafka) = (pool.clone(), config.kafka.clone());
        workers.spawn(|shutdown| pool::watch(SERVICE, gauged, shutdown));
        workers.spawn(|shutdown| async move {
            shutdown.run_until_cancelled(metrics::upkeep()).await;
        });
        workers.relay(Relay {
            service: SERVICE,
            pool: pool.clone(),
            database: config.database.clone(),
            kafka,
        });
        workers.consumer(self.consumer()?);
        let (issuing, handling) = (self.state.issuing()?, self.state.handling());
        workers.spawn(|shutdown| issuing.run(shutdown));
        workers.spawn(|shutdown| handling.run(shutdown));
        Ok(())
    }

    fn consumer(&self) -> anyhow::Result<Consumer> {
        Ok(Consumer {
            service: SERVICE,
            group: SERVICE_NAME,
            topics: vec![Topic::User],
            pool: self.state.pool.clone(),
            kafka: self.state.config.kafka.clone(),
            dedup: Dedup::new(dedup::connect(&self.state.config.redis)?, SERVICE_NAME),
            clock: Arc::clone(&self.state.clock),
            handler: Arc::new(UserEvents::new(self.state.clone())),
        })
    }
}

/// What the gateway routes to.
pub(crate) fn public_routes() -> OpenApiRouter<AppState> {
    let api = docs::finish(
        utoipa::openapi::OpenApi::default(),
        "Wallets",
        "Wallets, their balances and entries, and the webhooks of providers.",
    );
    OpenApiRouter::with_openapi(api).merge(wallets::routes::router()).merge(webhooks::routes())
}

/// What only other services call, with a token of theirs.
fn internal_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().merge(ledger::routes::router()).merge(wallets::internal::router())
}
