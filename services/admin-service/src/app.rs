//! The service put together: its state, its routes, and what runs beside them.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use common_auth::{
    Authenticator,
    revocation::{self, RevocationsCheck},
};
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{
    Actor, Consumer, EventContext, Topic, dedup,
    dlq::Collector,
    health::{KafkaCheck, RedisCheck},
    lock::Locks,
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
    SERVICE, SERVICE_NAME, audit,
    config::Config,
    dead_letters::{self, Letters},
    events::AdminEvents,
    merged, migrations,
    services::Services,
    support, tickets, wallets,
    webhooks::{self, WebhookEvents, Webhooks},
};

/// Collects dead letters; apart from the consumer of events, whose own letters are among them.
const LETTERS_GROUP: &str = "admin-service-dead-letters";
/// Takes in what integrators get; apart from the audit log, so that neither waits for the other.
const WEBHOOKS_GROUP: &str = "admin-service-webhooks";

/// What handlers and workers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) authenticator: Authenticator,
    pub(crate) services: Services,
    /// Says that dead letters are to be put back.
    pub(crate) replays: Arc<Notify>,
    pub(crate) webhooks: Webhooks,
}

impl AppState {
    /// The context of an event that `actor` causes now.
    pub(crate) fn event_context(&self, actor: Actor) -> EventContext {
        EventContext::new(SERVICE_NAME, actor, self.clock.now())
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

/// admin-service, ready to serve.
#[derive(Debug)]
pub struct App {
    config: Config,
    state: AppState,
    consumers: [Consumer; 2],
    collector: Collector,
    locks: Locks,
    router: Router,
}

impl App {
    /// Fails when the configuration is wrong, the database's schema is behind, or the key of its secrets is lost.
    pub async fn from_env(env: &Env) -> anyhow::Result<Self> {
        let config = Config::from_env(env)?;
        migrate::require_current(&config.database, &migrations(), &format!("{SERVICE_NAME} migrate")).await?;
        registry::register_on_start(env, SERVICE_NAME).await?;
        let pool = pool::connect(SERVICE_NAME, &config.database);
        webhooks::require_key(&pool, &config.keys_dir).await?;
        let clock = SystemClock::shared();
        let authenticator = Authenticator::from_env(env, SERVICE_NAME, &clock)?;
        Self::on(pool, config, authenticator, clock)
    }

    /// With a clock and tokens of the caller's own, on a database that is migrated.
    pub fn new(config: Config, authenticator: Authenticator, clock: SharedClock) -> anyhow::Result<Self> {
        Self::on(pool::connect(SERVICE_NAME, &config.database), config, authenticator, clock)
    }

    fn on(
        pool: PgPool,
        config: Config,
        authenticator: Authenticator,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        audit::register();
        dead_letters::register();
        tickets::register();
        webhooks::register();
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
        let services = Services::new(&config.services, &authenticator.services)?;
        let webhooks = Webhooks::new(&config.webhooks, &config.keys_dir, Arc::clone(&clock))?;
        let state = AppState { pool, clock, authenticator, services, replays: Arc::default(), webhooks };
        let locks = Locks::new(redis.clone(), &config.kafka.prefix);
        let consumer = |group, handler| Consumer {
            service: SERVICE,
            group,
            topics: Topic::ALL.to_vec(),
            pool: state.pool.clone(),
            kafka: config.kafka.clone(),
            redis: redis.clone(),
            clock: Arc::clone(&state.clock),
            handler,
        };
        let wake = Arc::clone(&state.webhooks.wake);
        let intake = WebhookEvents::new(state.pool.clone(), Arc::clone(&state.clock), wake);
        let consumers =
            [consumer(SERVICE_NAME, Arc::new(AdminEvents)), consumer(WEBHOOKS_GROUP, Arc::new(intake))];
        let letters = Letters { pool: state.pool.clone(), clock: Arc::clone(&state.clock) };
        let collector = Collector {
            service: SERVICE,
            group: LETTERS_GROUP,
            kafka: config.kafka.clone(),
            clock: Arc::clone(&state.clock),
            letters: Arc::new(letters),
        };
        let api = all().with_state(state.clone());
        let router = server::service_router(SERVICE, api, openapi(), checks);
        Ok(Self { config, state, consumers, collector, locks, router })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All routes: the public ones, and those that every service has.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Serves until `shutdown`, then drains.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        tracing::info!(address = %listener.local_addr()?, "{SERVICE_NAME} listens");
        let Self { config, state, consumers, collector, locks, router } = self;
        let pool = state.pool.clone();
        let workers = Workers::new(&shutdown);
        workers.common(SERVICE, &pool, &config.database, &config.kafka);
        for consumer in consumers {
            workers.consumer(consumer);
        }
        workers.collector(collector);
        let (tokens, kafka) = (Arc::clone(&state.authenticator.tokens), config.kafka.clone());
        let clock = Arc::clone(&state.clock);
        workers.spawn(|shutdown| revocation::keep_informed(SERVICE, tokens, kafka, clock, shutdown));
        workers.spawn(|shutdown| audit::watch(pool.clone(), shutdown));
        workers.spawn(|shutdown| dead_letters::watch(pool.clone(), shutdown));
        workers.spawn(|shutdown| dead_letters::replay_ordered(state.clone(), config.kafka, locks, shutdown));
        workers.spawn(|shutdown| webhooks::watch(pool.clone(), Arc::clone(&state.clock), shutdown));
        workers.spawn(|shutdown| webhooks::send(state.clone(), shutdown));
        workers.spawn(|shutdown| webhooks::keep_tidy(state.clone(), config.webhooks.retention, shutdown));
        workers.spawn(|shutdown| tickets::close_resolved(state, config.close_after, shutdown));
        let served = server::serve(listener, router, shutdown).await;
        workers.drained().await;
        pool.close().await;
        served
    }
}

/// What the gateway routes to.
fn public() -> Routes<AppState> {
    Routes::new()
        .merge(tickets::routes::router())
        .merge(tickets::routes_mine::router())
        .merge(support::routes::router())
        .merge(audit::routes::router())
        .merge(dead_letters::routes::router())
        .merge(wallets::routes::router())
        .merge(webhooks::routes::router())
        .merge(webhooks::routes_deliveries::router())
}

/// That, and what no client needs to know of.
fn all() -> Routes<AppState> {
    public().merge(merged::router())
}

/// Every route of this service, with who may call it.
pub fn routes() -> Vec<RouteInfo> {
    all().table().to_vec()
}

/// The public contract.
pub fn openapi() -> OpenApi {
    docs::finish(
        public().into_openapi(),
        "Admin",
        "Support tickets, what support sees of customers, the audit log, dead letters, webhooks for integrators, and what staff \
         may do to a wallet.",
    )
}
