//! What handlers and workers share: one of each feature, put together once. `Foundation` is what several features stand on.

use std::{ops::Deref, sync::Arc};

use axum::extract::FromRef;
use chrono::TimeDelta;
use common_auth::{
    Authenticator, key_ring::KeyRing, password::Passwords, service_token::ServiceTokens,
    verify::TokenVerifier,
};
use common_db::PgPool;
use common_limits::Limits;
use common_utils::{
    clock::SharedClock,
    crypto::sealing::{KeyFile, Sealer},
    http::TrustedProxies,
};

use crate::{
    allowances::Allowances,
    api_keys::ApiKeys,
    auth::{Auth, ImportedHashes, policy::PasswordPolicy},
    codes::Codes,
    config::Config,
    contacts::Contacts,
    crypto::vault::Vault,
    deactivation::Deactivation,
    devices::Devices,
    erasure::Erasures,
    factors::{Factors, Secrets, reset::FactorReset},
    guard::Guard,
    kyc::{HttpKycProvider, Kyc, cases::Cases},
    notices::{self, Notices},
    passkeys::Passkeys,
    passwords::{self, PasswordChanges, proof::Proofs},
    pin::{Pepper, Pins},
    reclaim::Reclaim,
    sessions::{AccessTokens, OwnRecord, Sessions, Signer},
    suspension::Suspensions,
    users::Users,
};

/// Cloned for each request, so it is one pointer.
#[derive(Debug, Clone)]
pub(crate) struct AppState(Arc<Features>);

#[derive(Debug)]
pub(crate) struct Features {
    pub(crate) clock: SharedClock,
    pub(crate) authenticator: Authenticator,
    pub(crate) proxies: TrustedProxies,
    pub(crate) users: Users,
    pub(crate) auth: Auth,
    pub(crate) sessions: Sessions,
    pub(crate) kyc: Kyc,
    pub(crate) cases: Cases,
    pub(crate) limits: Limits,
    pub(crate) contacts: Contacts,
    pub(crate) passwords: PasswordChanges,
    pub(crate) deactivation: Deactivation,
    pub(crate) suspensions: Suspensions,
    pub(crate) api_keys: ApiKeys,
    pub(crate) factors: Arc<Factors>,
    pub(crate) factor_reset: FactorReset,
    pub(crate) pins: Pins,
    pub(crate) passkeys: Passkeys,
    pub(crate) devices: Devices,
    pub(crate) erasures: Erasures,
    pub(crate) vault: Vault,
}

impl Deref for AppState {
    type Target = Features;

    fn deref(&self) -> &Features {
        &self.0
    }
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

impl AppState {
    pub(crate) fn new(
        config: &Config,
        pool: &PgPool,
        services: ServiceTokens,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        let base = Foundation::lay(config, pool, clock)?;
        let kyc = base.kyc(config)?;
        let cases = kyc.cases(&config.kyc_policy, base.notices.clone())?;
        let api_keys = base.api_keys(config)?;
        let reclaim = Reclaim { api_keys: api_keys.clone() };
        Ok(Self(Arc::new(Features {
            authenticator: Authenticator { tokens: Arc::clone(&base.tokens), services },
            proxies: config.trusted_proxies.clone(),
            limits: config.limits.clone(),
            auth: base.auth(),
            contacts: base.contacts(),
            passwords: base.password_changes(config, &reclaim)?,
            deactivation: base.deactivation(&reclaim),
            suspensions: base.suspensions(),
            pins: base.pins(config)?,
            passkeys: base.passkeys(config)?,
            devices: base.devices(config),
            factor_reset: base.factor_reset(&reclaim),
            erasures: base.erasures(config, &cases, &api_keys)?,
            api_keys,
            kyc,
            cases,
            clock: base.clock,
            users: base.users,
            sessions: base.sessions,
            factors: base.factors,
            vault: base.vault,
        })))
    }
}

struct Foundation {
    pool: PgPool,
    clock: SharedClock,
    /// Of codes, messages on their way, and counts of who guesses.
    key: KeyFile,
    tokens: Arc<TokenVerifier>,
    users: Users,
    sessions: Sessions,
    passwords: Passwords,
    policy: PasswordPolicy,
    notices: Notices,
    allowances: Allowances,
    codes: Codes,
    guard: Guard,
    vault: Vault,
    proofs: Proofs,
    factors: Arc<Factors>,
}

impl Foundation {
    fn lay(config: &Config, pool: &PgPool, clock: SharedClock) -> anyhow::Result<Self> {
        let (signer, tokens) = signing(config, &clock)?;
        let tokens = Arc::new(tokens.recorded_by(Arc::new(OwnRecord(pool.clone()))));
        let issuer = config.tokens.issuer.clone();
        let access = AccessTokens { signer, issuer, lifetime: config.tokens.access_lifetime };
        let lifetime = TimeDelta::from_std(config.tokens.session_lifetime)?;
        let users = Users { pool: pool.clone(), clock: Arc::clone(&clock) };
        let passwords = Passwords::new(config.passwords.memory_kib, config.passwords.passes)?;
        let key = notices::key(&config.keys_dir)?;
        let notices = Notices::new(pool.clone(), Arc::clone(&clock), &key, &config.notices)?;
        let guard = Guard::new(pool.clone(), Arc::clone(&clock), notices.clone(), &key);
        let sessions = Sessions {
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            guard: guard.clone(),
            access,
            notices: notices.clone(),
            lifetime,
        };
        let allowances = Allowances::new(pool.clone(), Arc::clone(&clock), &key);
        let proofs = Proofs {
            pool: pool.clone(),
            passwords: passwords.clone(),
            allowances: allowances.clone(),
            notices: notices.clone(),
            clock: Arc::clone(&clock),
        };
        let factors = Factors {
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            users: users.clone(),
            sessions: sessions.clone(),
            proofs: proofs.clone(),
            allowances: allowances.clone(),
            guard: guard.clone(),
            notices: notices.clone(),
            secrets: Secrets::load_or_create(&config.keys_dir)?,
            allowed: config.second_factors,
            issuer: config.totp_issuer.clone(),
        };
        Ok(Self {
            codes: Codes::new(pool.clone(), Arc::clone(&clock), notices.clone(), allowances.clone(), &key)?,
            vault: Vault::new(pool.clone(), Arc::clone(&clock), &config.keys_dir, config.kms.as_ref())?,
            policy: PasswordPolicy::new(config.second_factors),
            pool: pool.clone(),
            factors: Arc::new(factors),
            clock,
            key,
            tokens,
            users,
            sessions,
            passwords,
            notices,
            allowances,
            guard,
            proofs,
        })
    }

    fn auth(&self) -> Auth {
        Auth {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            sessions: self.sessions.clone(),
            passwords: self.passwords.clone(),
            imported: ImportedHashes::new(self.pool.clone(), Arc::clone(&self.clock)),
            policy: self.policy,
            codes: self.codes.clone(),
            notices: self.notices.clone(),
            guard: self.guard.clone(),
            factors: Arc::clone(&self.factors),
        }
    }

    fn contacts(&self) -> Contacts {
        Contacts {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            codes: self.codes.clone(),
            notices: self.notices.clone(),
            allowances: self.allowances.clone(),
            proofs: self.proofs.clone(),
        }
    }

    fn password_changes(&self, config: &Config, reclaim: &Reclaim) -> anyhow::Result<PasswordChanges> {
        Ok(PasswordChanges {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            passwords: self.passwords.clone(),
            policy: self.policy,
            proofs: self.proofs.clone(),
            guard: self.guard.clone(),
            notices: self.notices.clone(),
            allowances: self.allowances.clone(),
            sealer: Arc::new(Sealer::new(&self.key, passwords::PURPOSE)?),
            config: config.resets.clone(),
            reclaim: reclaim.clone(),
            wake: Arc::default(),
        })
    }

    fn pins(&self, config: &Config) -> anyhow::Result<Pins> {
        Ok(Pins {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            passwords: self.passwords.clone(),
            proofs: self.proofs.clone(),
            sessions: self.sessions.clone(),
            notices: self.notices.clone(),
            pepper: Pepper::load_or_create(&config.keys_dir)?,
        })
    }

    fn passkeys(&self, config: &Config) -> anyhow::Result<Passkeys> {
        Ok(Passkeys {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            sessions: self.sessions.clone(),
            guard: self.guard.clone(),
            notices: self.notices.clone(),
            factors: Arc::clone(&self.factors),
            webauthn: config.passkeys.webauthn()?,
        })
    }

    fn devices(&self, config: &Config) -> Devices {
        Devices {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            sessions: self.sessions.clone(),
            guard: self.guard.clone(),
            notices: self.notices.clone(),
            factors: Arc::clone(&self.factors),
            config: config.devices,
        }
    }

    fn factor_reset(&self, reclaim: &Reclaim) -> FactorReset {
        FactorReset {
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            notices: self.notices.clone(),
            reclaim: reclaim.clone(),
        }
    }

    fn api_keys(&self, config: &Config) -> anyhow::Result<ApiKeys> {
        Ok(ApiKeys {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            access: self.sessions.access.clone(),
            proofs: self.proofs.clone(),
            notices: self.notices.clone(),
            overlap: TimeDelta::from_std(config.api_keys.overlap)?,
        })
    }

    fn deactivation(&self, reclaim: &Reclaim) -> Deactivation {
        Deactivation {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            sessions: self.sessions.clone(),
            proofs: self.proofs.clone(),
            notices: self.notices.clone(),
            reclaim: reclaim.clone(),
        }
    }

    fn suspensions(&self) -> Suspensions {
        Suspensions {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            sessions: self.sessions.clone(),
            notices: self.notices.clone(),
        }
    }

    fn kyc(&self, config: &Config) -> anyhow::Result<Kyc> {
        Ok(Kyc {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            users: self.users.clone(),
            provider: Arc::new(HttpKycProvider::new(config.kyc.clone())?),
            vault: self.vault.clone(),
            allowances: self.allowances.clone(),
        })
    }

    fn erasures(&self, config: &Config, cases: &Cases, api_keys: &ApiKeys) -> anyhow::Result<Erasures> {
        Ok(Erasures {
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            users: self.users.clone(),
            sessions: self.sessions.clone(),
            proofs: self.proofs.clone(),
            guard: self.guard.clone(),
            notices: self.notices.clone(),
            api_keys: api_keys.clone(),
            vault: self.vault.clone(),
            cases: cases.clone(),
            retention: TimeDelta::from_std(config.erasure_retention)?,
        })
    }
}

/// What signs access tokens, and what checks them.
fn signing(config: &Config, clock: &SharedClock) -> anyhow::Result<(Signer, TokenVerifier)> {
    let (issuer, lives) = (&config.tokens.issuer, config.tokens.access_lifetime);
    if let Some(secret) = &config.tokens.secret {
        let tokens = TokenVerifier::with_secret(issuer, secret, Arc::clone(clock)).living(lives);
        return Ok((Signer::Secret(secret.clone()), tokens));
    }
    let lifetime = TimeDelta::from_std(lives)?;
    let keys = KeyRing::load_or_create(&config.keys_dir, Arc::clone(clock), lifetime)?;
    let tokens = TokenVerifier::with_keys(issuer, &keys.published(), Arc::clone(clock)).living(lives);
    Ok((Signer::Keys(Arc::new(keys)), tokens))
}
