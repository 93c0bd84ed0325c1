//! The service put together: its state, its routes, and what runs beside them.

use std::sync::Arc;

use axum::{Router, extract::FromRef};
use chrono::TimeDelta;
use common_auth::{
    Authenticator, key_ring::KeyRing, password::Passwords, service_token::ServiceTokens,
    verify::TokenVerifier,
};
use common_db::{PgPool, health::DatabaseCheck, migrate, pool};
use common_events::{health::KafkaCheck, registry, workers::Workers};
use common_utils::{
    clock::{SharedClock, SystemClock},
    config::Env,
    crypto::sealing::Sealer,
    http::{TrustedProxies, docs, health::Check, server},
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    SERVICE, SERVICE_NAME,
    allowances::Allowances,
    auth::{self, Auth, policy::PasswordPolicy},
    codes::Codes,
    config::Config,
    contacts::{self, Contacts},
    crypto::vault::{self, Vault},
    deactivation::{self, Deactivation},
    guard::Guard,
    internal, jwks, keys,
    kyc::{self, HttpKycProvider, Kyc, cases::Cases},
    metrics, migrations,
    notices::{self, Notices, entity::Channel},
    passwords::{self, PasswordChanges, proof::Proofs},
    sessions::{self, AccessTokens, OwnRecord, Sessions, Signer},
    tidy,
    users::{self, Users},
};

/// What handlers and workers share.
#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) clock: SharedClock,
    pub(crate) authenticator: Authenticator,
    pub(crate) proxies: TrustedProxies,
    pub(crate) users: Users,
    pub(crate) auth: Auth,
    pub(crate) sessions: Sessions,
    pub(crate) kyc: Kyc,
    /// Shared, because it is large and a state is cloned for each request.
    pub(crate) cases: Arc<Cases>,
    pub(crate) contacts: Contacts,
    pub(crate) passwords: PasswordChanges,
    pub(crate) deactivation: Deactivation,
    pub(crate) vault: Vault,
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}

impl FromRef<AppState> for TrustedProxies {
    fn from_ref(state: &AppState) -> Self {
        state.proxies.clone()
    }
}

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
        let clock = SystemClock::shared();
        let services = ServiceTokens::from_env(env, Arc::clone(&clock))?;
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
        let api = Router::from(public()).merge(internal::router()).with_state(state.clone());
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
    fn new(
        config: &Config,
        pool: &PgPool,
        services: ServiceTokens,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let pool = pool.clone();
        let issuer = config.tokens.issuer.clone();
        let (signer, tokens) = signing(config, &clock)?;
        let tokens = Arc::new(tokens.recorded_by(Arc::new(OwnRecord(pool.clone()))));
        let access = AccessTokens { signer, issuer, lifetime: config.tokens.access_lifetime };
        let lifetime = TimeDelta::from_std(config.tokens.session_lifetime)?;
        let sessions = Sessions { pool: pool.clone(), clock: Arc::clone(&clock), access, lifetime };
        let users = Users { pool: pool.clone(), clock: Arc::clone(&clock) };
        let passwords = Passwords::new(config.passwords.memory_kib, config.passwords.passes)?;
        let policy = PasswordPolicy::new(config.second_factors);
        let key = notices::key(&config.keys_dir)?;
        let notices = Notices::new(pool.clone(), Arc::clone(&clock), &key, &config.notices)?;
        let allowances = Allowances::new(pool.clone(), Arc::clone(&clock), &key);
        let codes = Codes::new(pool.clone(), Arc::clone(&clock), notices.clone(), allowances.clone(), &key)?;
        let guard = Guard::new(pool.clone(), Arc::clone(&clock), &key);
        let vault = Vault::new(pool.clone(), Arc::clone(&clock), &config.keys_dir, config.kms.as_ref())?;
        let proofs =
            Proofs { pool: pool.clone(), passwords: passwords.clone(), allowances: allowances.clone() };
        let kyc = Kyc {
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            users: users.clone(),
            provider: Arc::new(HttpKycProvider::new(config.kyc.clone())?),
            vault: vault.clone(),
        };
        let cases = kyc.cases(&config.kyc_policy, allowances.clone(), notices.clone())?;
        Ok(Self {
            authenticator: Authenticator { tokens, services },
            proxies: config.trusted_proxies.clone(),
            auth: Auth {
                pool: pool.clone(),
                clock: Arc::clone(&clock),
                sessions: sessions.clone(),
                passwords: passwords.clone(),
                policy,
                codes: codes.clone(),
                notices: notices.clone(),
                guard: guard.clone(),
            },
            contacts: Contacts {
                pool: pool.clone(),
                clock: Arc::clone(&clock),
                codes,
                notices: notices.clone(),
                allowances: allowances.clone(),
                proofs: proofs.clone(),
            },
            passwords: PasswordChanges {
                pool: pool.clone(),
                clock: Arc::clone(&clock),
                users: users.clone(),
                sessions: sessions.clone(),
                passwords,
                policy,
                proofs: proofs.clone(),
                guard,
                notices: notices.clone(),
                allowances,
                sealer: Arc::new(Sealer::new(&key, passwords::PURPOSE)?),
                config: config.resets.clone(),
                wake: Arc::default(),
            },
            deactivation: Deactivation {
                pool,
                clock: Arc::clone(&clock),
                sessions: sessions.clone(),
                proofs,
                notices,
            },
            kyc,
            cases: Arc::new(cases),
            clock,
            users,
            sessions,
            vault,
        })
    }

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
        workers.spawn(|shutdown| Cases::clone(&self.cases).keep_checking(shutdown));
        workers.spawn(|shutdown| Cases::clone(&self.cases).keep_verified(shutdown));
        workers.spawn(|shutdown| kyc::cases::metrics::watch(Cases::clone(&self.cases), shutdown));
        workers.spawn(|shutdown| tidy::keep_tidy(self.clone(), shutdown));
    }
}

/// What signs access tokens, and what checks them.
fn signing(config: &Config, clock: &SharedClock) -> anyhow::Result<(Signer, TokenVerifier)> {
    let issuer = &config.tokens.issuer;
    if let Some(secret) = &config.tokens.secret {
        let tokens = TokenVerifier::with_secret(issuer, secret, Arc::clone(clock));
        return Ok((Signer::Secret(secret.clone()), tokens));
    }
    let lifetime = TimeDelta::from_std(config.tokens.access_lifetime)?;
    let keys = KeyRing::load_or_create(&config.keys_dir, Arc::clone(clock), lifetime)?;
    let tokens = TokenVerifier::with_keys(issuer, &keys.published(), Arc::clone(clock));
    Ok((Signer::Keys(Arc::new(keys)), tokens))
}

/// What the gateway routes to.
fn public() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .merge(auth::routes::router())
        .merge(sessions::routes::router())
        .merge(sessions::routes_list::router())
        .merge(users::routes::router())
        .merge(contacts::routes::router())
        .merge(passwords::routes::router())
        .merge(deactivation::routes::router())
        .merge(kyc::routes::router())
        .merge(kyc::validity::routes::router())
        .merge(kyc::cases::routes::router())
        .merge(kyc::documents::routes::router())
        .merge(kyc::reviews::routes::router())
        .merge(jwks::router())
}

/// The public contract.
pub fn openapi() -> OpenApi {
    docs::finish(
        public().into_openapi(),
        "Identity",
        "Registering, logging in, sessions, profile, contacts, passwords and verification of people.",
    )
}
