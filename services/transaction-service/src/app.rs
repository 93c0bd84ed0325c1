//! The service put together: its state, its routes, and what runs beside them.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use chrono::TimeDelta;
use common_auth::Authenticator;
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{
    Consumer,
    dedup::{self, Dedup},
    health::{KafkaCheck, RedisCheck},
    relay::Relay,
    workers::Workers,
};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    http::{docs, health::Check, server},
    telemetry,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    SERVICE,
    config::Config,
    consumer::{GROUP, Intake, TOPICS},
    directory::{ContactHasher, Directory, Remote},
    metrics,
    peers::Peer,
    transactions::{self, Transactions},
    transfers::{self, Ledger, Transfers},
};

/// What handlers and workers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) config: Arc<Config>,
    pub(crate) transactions: Transactions,
    pub(crate) transfers: Transfers,
    authenticator: Authenticator,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

#[derive(Debug)]
pub struct App {
    state: AppState,
    pool: PgPool,
    clock: SharedClock,
    directory: Directory,
}

impl App {
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &crate::migrations(), "transaction-service migrate")
            .await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, &clock)?;
        Self::new(config, clock, authenticator)
    }

    /// With a clock and tokens of the caller's own.
    pub fn new(config: Config, clock: SharedClock, authenticator: Authenticator) -> anyhow::Result<Self> {
        let pool = pool::connect(SERVICE, &config.database);
        let peer =
            |name, base: &str| Peer::new(name, base, config.call_timeout, authenticator.services.clone());
        let remote = Remote {
            identity: peer("identity-service", &config.identity_url)?,
            wallet: peer("wallet-service", &config.wallet_url)?,
        };
        // A breaker of its own: a look-up that fails says nothing about the ledger.
        let ledger = Ledger::new(peer("ledger", &config.wallet_url)?);
        let hasher = ContactHasher::load_or_create(&config.keys_dir)?;
        let directory = Directory::new(pool.clone(), hasher, remote);
        anyhow::ensure!(
            config.transfer_lease > config.call_timeout,
            "TRANSFER_LEASE_SECONDS must be longer than CALL_TIMEOUT_SECONDS"
        );
        let lease = TimeDelta::from_std(config.transfer_lease)?;
        let state = AppState {
            transactions: Transactions::new(pool.clone(), directory.clone()),
            transfers: Transfers::new(pool.clone(), Arc::clone(&clock), directory.clone(), ledger, lease),
            config: Arc::new(config),
            authenticator,
        };
        Ok(Self { state, pool, clock, directory })
    }

    pub fn config(&self) -> &Config {
        &self.state.config
    }

    /// All routes: the public ones, those for other services, and those that every service has.
    pub fn router(&self) -> anyhow::Result<Router> {
        let (public, openapi) = public_routes().split_for_parts();
        let (internal, _) = transactions::routes::internal().split_for_parts();
        let api = public.merge(internal).with_state(self.state.clone());
        Ok(server::service_router(SERVICE, api, openapi, self.checks()?))
    }

    fn checks(&self) -> anyhow::Result<Vec<Box<dyn Check>>> {
        Ok(vec![
            Box::new(DatabaseCheck(self.pool.clone())),
            Box::new(KafkaCheck::new(&self.config().kafka)?),
            Box::new(RedisCheck(dedup::connect(&self.config().redis)?)),
        ])
    }

    /// Serves until `shutdown`, with the relay, the consumer and recovery; then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let router = self.router()?;
        let workers = Workers::new(shutdown.clone());
        self.start(&workers)?;
        server::serve(listener, router, shutdown).await?;
        workers.drained().await;
        Ok(())
    }

    fn start(&self, workers: &Workers) -> anyhow::Result<()> {
        metrics::register();
        let (config, pool) = (self.config(), &self.pool);
        let gauged = pool.clone();
        workers.spawn(|shutdown| pool::watch(SERVICE, gauged, shutdown));
        workers.spawn(|shutdown| async move {
            shutdown.run_until_cancelled(telemetry::metrics::upkeep()).await;
        });
        workers.relay(Relay {
            service: SERVICE,
            pool: pool.clone(),
            database: config.database.clone(),
            kafka: config.kafka.clone(),
        });
        workers.consumer(Consumer {
            service: SERVICE,
            group: GROUP,
            topics: TOPICS.to_vec(),
            pool: pool.clone(),
            kafka: config.kafka.clone(),
            dedup: Dedup::new(dedup::connect(&config.redis)?, &config.kafka.prefixed(GROUP)),
            clock: Arc::clone(&self.clock),
            handler: Arc::new(Intake { directory: self.directory.clone(), clock: Arc::clone(&self.clock) }),
        });
        let transfers = self.state.transfers.clone();
        workers.spawn(|shutdown| transfers.recover_forever(shutdown));
        Ok(())
    }
}

/// What the gateway routes to.
pub(crate) fn public_routes() -> OpenApiRouter<AppState> {
    let api = docs::finish(
        utoipa::openapi::OpenApi::default(),
        "Transactions",
        "Transfers between wallets, and the list of everything that moved money.",
    );
    OpenApiRouter::with_openapi(api).merge(transfers::routes::public()).merge(transactions::routes::public())
}
