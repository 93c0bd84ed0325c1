//! The service put together: its state, its routes, and what runs beside them.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use chrono::TimeDelta;
use common_auth::{
    Authenticator,
    revocation::{self, RevocationsCheck},
    service_token::CallTokens,
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
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;

use crate::{
    SERVICE, SERVICE_NAME,
    config::Config,
    consumer::Intake,
    directory::{ContactHasher, Directory, Remote},
    metrics, migrations,
    peers::Peer,
    transactions::{self, Transactions},
    transfers::{self, Ledger, Transfers},
};

/// What handlers and workers share. It is cloned several times for each request.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) config: Arc<Config>,
    pub(crate) authenticator: Authenticator,
    pub(crate) directory: Arc<Directory>,
    pub(crate) transactions: Arc<Transactions>,
    pub(crate) transfers: Arc<Transfers>,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// transaction-service, ready to serve.
#[derive(Debug)]
pub struct App {
    state: AppState,
    pool: PgPool,
    clock: SharedClock,
    consumer: Consumer,
    router: Router,
}

impl App {
    /// Fails when the configuration is wrong or the database's schema is behind.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        Self::beside(env, None).await
    }

    /// In one process with wallet-service, whose router is given: transfers are handed to it without the network.
    pub async fn beside(env: &Env, wallet_service: Option<Router>) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &migrations(), &format!("{SERVICE_NAME} migrate")).await?;
        registry::register_on_start(env, SERVICE_NAME).await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, SERVICE_NAME, &clock)?;
        Self::build(config, authenticator, clock, wallet_service)
    }

    /// With a clock and tokens of the caller's own, on a database that is migrated.
    pub fn new(config: Config, authenticator: Authenticator, clock: SharedClock) -> anyhow::Result<Self> {
        Self::build(config, authenticator, clock, None)
    }

    fn build(
        config: Config,
        authenticator: Authenticator,
        clock: SharedClock,
        wallet_service: Option<Router>,
    ) -> anyhow::Result<Self> {
        metrics::register();
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
        let state = AppState::new(config, &pool, authenticator, &clock, wallet_service)?;
        let consumer = Consumer {
            service: SERVICE,
            group: SERVICE_NAME,
            topics: vec![Topic::User, Topic::Wallet],
            pool: pool.clone(),
            kafka: state.config.kafka.clone(),
            redis,
            clock: Arc::clone(&clock),
            handler: Arc::new(Intake { directory: (*state.directory).clone(), clock: Arc::clone(&clock) }),
        };
        let api = all().with_state(state.clone());
        let router = server::service_router(SERVICE, api, openapi(), checks);
        Ok(Self { state, pool, clock, consumer, router })
    }

    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// All routes: the public ones, those for other services, and those that every service has.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "{SERVICE_NAME} listens");
        let Self { state, pool, clock, consumer, router } = self;
        let AppState { config, authenticator, transfers, .. } = state;
        let workers = Workers::new(&shutdown);
        workers.common(SERVICE, &pool, &config.database, &config.kafka);
        workers.consumer(consumer);
        let (tokens, kafka) = (authenticator.tokens, config.kafka.clone());
        workers.spawn(|shutdown| revocation::keep_informed(SERVICE, tokens, kafka, clock, shutdown));
        workers.spawn(|shutdown| transfers.recover_forever(shutdown));
        let served = server::serve(listener, router, shutdown).await;
        workers.drained().await;
        pool.close().await;
        served
    }
}

impl AppState {
    fn new(
        config: Config,
        pool: &PgPool,
        authenticator: Authenticator,
        clock: &SharedClock,
        wallet_service: Option<Router>,
    ) -> anyhow::Result<Self> {
        let (identity, wallet) =
            (authenticator.services.to("identity-service"), authenticator.services.to("wallet-service"));
        let peer = |name, base: &str, tokens: &CallTokens, here| {
            Peer::new(name, base, config.call_timeout, tokens.clone(), here)
        };
        let remote = Remote {
            identity: peer("identity-service", &config.identity_url, &identity, None)?,
            wallet: peer("wallet-service", &config.wallet_url, &wallet, None)?,
        };
        // A breaker of its own: a look-up that fails says nothing about the ledger.
        let ledger = Ledger::new(peer("ledger", &config.wallet_url, &wallet, wallet_service)?);
        let hasher = ContactHasher::load_or_create(&config.keys_dir)?;
        let directory = Directory::start(pool.clone(), hasher, remote);
        let lease = TimeDelta::from_std(config.transfer_lease)?;
        Ok(Self {
            transactions: Arc::new(Transactions::new(pool.clone(), directory.clone())),
            transfers: Arc::new(Transfers::start(
                pool.clone(),
                Arc::clone(clock),
                directory.clone(),
                ledger,
                lease,
                config.limits.clone(),
                config.approval_above.clone(),
            )),
            config: Arc::new(config),
            authenticator,
            directory: Arc::new(directory),
        })
    }
}

/// What the gateway routes to.
fn public() -> Routes<AppState> {
    Routes::new().merge(transfers::routes::public()).merge(transactions::routes::public())
}

/// What only other services call, with a token of theirs.
fn internal() -> Routes<AppState> {
    transactions::routes::internal()
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
        "Transactions",
        "Transfers between wallets, and the list of everything that moved money.",
    )
}
