//! The service as a whole: state, router, and what runs in the background.

use std::sync::Arc;

use axum::Router;
use common_auth::Authenticator;
use common_db::{health::DatabaseCheck, migrate, pool};
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
    http::{health::Check, server},
    telemetry::metrics,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    LABEL, NAME, api, audit, config::Config, docs, events::AdminEvents, openapi, services::Services,
    state::AppState, tickets,
};

pub struct App {
    config: Config,
    state: AppState,
    router: Router,
    dedup: Dedup,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("config", &self.config).finish_non_exhaustive()
    }
}

impl App {
    /// Fails when the configuration is wrong or the schema is behind.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &crate::migrations(), "admin-service migrate").await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, &clock)?;
        Self::new(config, authenticator, clock)
    }

    pub fn new(config: Config, authenticator: Authenticator, clock: SharedClock) -> anyhow::Result<Self> {
        let redis = dedup::connect(&config.redis)?;
        let services = Services::new(&config.services, &authenticator.services)?;
        let pool = pool::connect(NAME, &config.database);
        let checks: Vec<Box<dyn Check>> = vec![
            Box::new(DatabaseCheck(pool.clone())),
            Box::new(KafkaCheck::new(&config.kafka)?),
            Box::new(RedisCheck(redis.clone())),
        ];
        audit::register();
        tickets::register();
        let state = AppState { pool, clock, authenticator, services };
        let own = Router::from(api()).with_state(state.clone()).merge(docs::router());
        let router = server::service_router(LABEL, own, openapi(), checks);
        Ok(Self { config, state, router, dedup: Dedup::new(redis, NAME) })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        // Also when serving fails, the workers end with it.
        let own = shutdown.child_token();
        let workers = Workers::new(own.clone());
        let Self { config, state, router, dedup } = self;
        workers.relay(Relay {
            service: LABEL,
            pool: state.pool.clone(),
            database: config.database,
            kafka: config.kafka.clone(),
        });
        workers.consumer(Consumer {
            service: LABEL,
            group: NAME,
            topics: Topic::ALL.to_vec(),
            pool: state.pool.clone(),
            kafka: config.kafka,
            dedup,
            clock: Arc::clone(&state.clock),
            handler: Arc::new(AdminEvents),
        });
        workers.spawn(|shutdown| pool::watch(LABEL, state.pool.clone(), shutdown));
        workers.spawn(|shutdown| audit::watch(state.pool.clone(), shutdown));
        workers.spawn(|shutdown| tickets::close_resolved(state.clone(), config.close_after, shutdown));
        workers.spawn(|shutdown| async move {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = metrics::upkeep() => {}
            }
        });
        tracing::info!(service = NAME, address = %listener.local_addr()?, "serving");
        let served = server::serve(listener, router, shutdown).await;
        own.cancel();
        workers.drained().await;
        served
    }
}
