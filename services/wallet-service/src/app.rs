//! The service put together: its state, its routes, and what runs beside them.

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef};
use common_auth::{
    Authenticator,
    revocation::{self, RevocationsCheck},
};
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{
    Consumer, Topic, dedup,
    health::{KafkaCheck, RedisCheck},
    registry,
    workers::Workers,
};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::{RouteInfo, Routes, docs, health::Check, server},
};
use tokio::{net::TcpListener, sync::Notify};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::{
    SERVICE, SERVICE_NAME,
    config::Config,
    ledger::{self, Expiry, Ledger, SelfCheck},
    migrations,
    owners::{Sweep, TierEvents},
    providers::{self, Providers},
    virtual_accounts::{Identity, Issuing},
    wallets::{self, UserEvents},
    webhooks::{self, Handling, Parking, Patience, Releasing},
    work::Backoff,
};

/// A service that has just started has other things to do than to verify its ledger.
const FIRST_CHECK: Duration = Duration::from_mins(1);
/// How often ceilings are compared with the limits.
const SWEEPS: Duration = Duration::from_hours(1);

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
    /// Told after a commit that may have made room for deposits that were above a limit.
    pub limits_moved: Arc<Notify>,
    /// Without any, no account numbers are issued and no webhooks taken.
    pub providers: Providers,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// wallet-service, ready to serve.
#[derive(Debug)]
pub struct App {
    state: AppState,
    consumers: [Consumer; 2],
    issuing: Issuing,
    router: Router,
}

impl App {
    /// Fails when the configuration is wrong or the database's schema is behind.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &migrations(), &format!("{SERVICE_NAME} migrate")).await?;
        registry::register_on_start(env, SERVICE_NAME).await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, SERVICE_NAME, &clock)?;
        Self::new(config, authenticator, providers::config::from_env(env)?, clock)
    }

    /// With a clock, tokens and providers of the caller's own, on a database that is migrated.
    pub fn new(
        config: Config,
        authenticator: Authenticator,
        providers: Providers,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        ledger::metrics::register();
        let pool = pool::connect(SERVICE_NAME, &config.database);
        let redis = dedup::connect(&config.redis)?;
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(DatabaseCheck(pool.clone())),
            Box::new(KafkaCheck::new(&config.kafka)?),
            Box::new(RedisCheck(redis.clone())),
            Box::new(RevocationsCheck {
                list: Arc::clone(authenticator.tokens.revocations()),
                clock: Arc::clone(&clock),
            }),
        ];
        let state = AppState::new(pool, clock, config, authenticator, providers);
        let consumer = |group, handler| Consumer {
            service: SERVICE,
            group,
            topics: vec![Topic::User],
            pool: state.pool.clone(),
            kafka: state.config.kafka.clone(),
            redis: redis.clone(),
            clock: Arc::clone(&state.clock),
            handler,
        };
        let tiers = TierEvents::new(Arc::clone(&state.config), Arc::clone(&state.limits_moved));
        let consumers = [
            consumer(SERVICE_NAME, Arc::new(UserEvents::new(state.clone()))),
            consumer(TierEvents::GROUP, Arc::new(tiers)),
        ];
        let issuing = state.issuing()?;
        let api = all().with_state(state.clone());
        let router = server::service_router(SERVICE, api, openapi(), checks);
        Ok(Self { state, consumers, issuing, router })
    }

    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// What its handlers and workers share.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// All routes: the public ones, those for other services, and those that every service has.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "{SERVICE_NAME} listens");
        let Self { state, consumers, issuing, router } = self;
        let (handling, releasing) = (state.handling(), state.releasing());
        let self_check = state.self_check();
        let sweep = Sweep { pool: state.pool.clone(), config: Arc::clone(&state.config), every: SWEEPS };
        let AppState { pool, clock, config, authenticator, ledger, .. } = state;
        let workers = Workers::new(&shutdown);
        workers.common(SERVICE, &pool, &config.database, &config.kafka);
        for consumer in consumers {
            workers.consumer(consumer);
        }
        let (tokens, kafka) = (authenticator.tokens, config.kafka.clone());
        workers.spawn(|shutdown| revocation::keep_informed(SERVICE, tokens, kafka, clock, shutdown));
        workers.spawn(|shutdown| issuing.run(shutdown));
        workers.spawn(|shutdown| handling.run(shutdown));
        workers.spawn(|shutdown| releasing.run(shutdown));
        workers.spawn(|shutdown| Expiry(ledger).run(shutdown));
        workers.spawn(|shutdown| self_check.run(shutdown));
        workers.spawn(|shutdown| sweep.run(shutdown));
        let served = server::serve(listener, router, shutdown).await;
        workers.drained().await;
        pool.close().await;
        served
    }
}

impl AppState {
    fn new(
        pool: PgPool,
        clock: SharedClock,
        config: Config,
        authenticator: Authenticator,
        providers: Providers,
    ) -> Self {
        Self {
            ledger: Arc::new(Ledger::start(pool.clone(), Arc::clone(&clock))),
            pool,
            clock,
            config: Arc::new(config),
            authenticator,
            accounts_wanted: Arc::new(Notify::new()),
            webhooks_arrived: Arc::new(Notify::new()),
            limits_moved: Arc::new(Notify::new()),
            providers,
        }
    }

    /// What the worker needs that gets account numbers.
    pub fn issuing(&self) -> anyhow::Result<Issuing> {
        let identity = Identity::new(&self.config.identity_url, &self.authenticator.services)?;
        Ok(Issuing {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            providers: self.providers.clone(),
            identity,
            wake: Arc::clone(&self.accounts_wanted),
            backoff: Backoff::default(),
        })
    }

    /// What the worker needs that verifies the ledger.
    fn self_check(&self) -> SelfCheck {
        SelfCheck {
            database: self.config.database.clone(),
            clock: Arc::clone(&self.clock),
            first: FIRST_CHECK,
            every: self.config.ledger_check_interval,
        }
    }

    /// What the worker needs that handles webhooks.
    pub fn handling(&self) -> Handling {
        Handling {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            config: Arc::clone(&self.config),
            ledger: Arc::clone(&self.ledger),
            providers: self.providers.clone(),
            wake: Arc::clone(&self.webhooks_arrived),
            backoff: Backoff::default(),
            patience: Patience::default(),
        }
    }

    /// What the worker needs that releases deposits which were above a limit.
    pub fn releasing(&self) -> Releasing {
        let parking = Parking {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            limits: self.config.limits.clone(),
            ledger: Arc::clone(&self.ledger),
        };
        Releasing { parking, wake: Arc::clone(&self.limits_moved) }
    }
}

/// What the gateway routes to.
fn public() -> Routes<AppState> {
    Routes::new().merge(wallets::routes::router()).merge(webhooks::routes())
}

/// What only other services call, with a token of theirs.
fn internal() -> Routes<AppState> {
    Routes::new().merge(ledger::routes::router()).merge(wallets::internal::router())
}

/// Both.
fn all() -> Routes<AppState> {
    public().merge(internal())
}

/// Every route of this service, with who may call it.
pub fn routes() -> Vec<RouteInfo> {
    all().table().to_vec()
}

/// The public contract.
pub fn openapi() -> OpenApi {
    docs::finish(
        public().into_openapi(),
        "Wallets",
        "Wallets, their balances and entries, and the webhooks of providers.",
    )
}
