//! Tokens with which services call each other's `/internal/v1`: signed assertions (RFC 7523) of the calling service about itself,
//! one minute long, for the one service that is called (`aud`), which checks them against the caller's public key. Nobody is asked
//! for a token, so no call needs a third service to be up.
//!
//! Each service has keys of its own, `KEYS_DIR/services/<service>/`, made on first start and rotated as those of access tokens are
//! (`key_ring`). Of the others' folders a service reads the public halves alone (`known.rs`): whoever takes over one service, and
//! reads nothing but what that service may read, cannot pose as another.
//!
//! A release before this one knew one secret, shared by all (`shared.rs`). [`Mode`] says how a deployment gets from there to here
//! with both releases running. The secret opens something only where the operator says so: a service that finds one, and is not told
//! what it is for, does not start.

mod known;
mod own;
mod shared;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::TimeDelta;
use common_utils::{clock::SharedClock, config::Env, ids};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::{known::KnownKeys, own::OwnKeys, shared::SharedSecret};

const VARIABLE: &str = "SERVICE_TOKENS";
/// Seconds. A token that was read on its way is good for no longer, and to the same service alone.
const LIFETIME: i64 = 60;
/// Clocks of two machines may differ by this much (seconds).
const LEEWAY: i64 = 5;
/// No token of ours comes near it.
const LONGEST_TOKEN: usize = 2 * 1024;

#[derive(Debug, Serialize, Deserialize)]
struct ServiceClaims {
    /// The calling service, in both.
    iss: String,
    sub: String,
    /// The service that is called.
    aud: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// Which tokens a service sends, and which it takes. From top to bottom is the way of a deployment that has the shared secret;
/// neighbours understand each other, so instances may be restarted one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Sends the shared secret's, takes both: while services of an older release run.
    Shared,
    /// Sends those of its own key, takes both.
    Both,
    /// Its own key's alone. The shared secret opens nothing any more.
    Own,
}

#[derive(Debug, thiserror::Error)]
#[error("must be one of shared, both, own")]
pub struct UnknownMode;

impl std::str::FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "shared" => Ok(Self::Shared),
            "both" => Ok(Self::Both),
            "own" => Ok(Self::Own),
            _ => Err(UnknownMode),
        }
    }
}

/// Makes the tokens of one service, and checks those that it is sent.
#[derive(Clone)]
pub struct ServiceTokens(Arc<Inner>);

struct Inner {
    /// Whose they are.
    service: String,
    clock: SharedClock,
    own: OwnKeys,
    known: KnownKeys,
    /// Where it is still taken.
    shared: Option<SharedSecret>,
    sends_shared: bool,
}

impl std::fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceTokens").field("service", &self.0.service).finish_non_exhaustive()
    }
}

/// Where the keys of services lie.
pub fn folder(env: &Env) -> PathBuf {
    env.get("SERVICE_KEYS_DIR").map_or_else(|| env.keys_dir().join("services"), PathBuf::from)
}

/// How long a token of a service lives.
pub fn lifetime() -> TimeDelta {
    TimeDelta::seconds(LIFETIME)
}

impl ServiceTokens {
    /// Those of `service`. Reads `SERVICE_TOKENS`, `SERVICE_KEYS_DIR` and `SERVICE_TOKEN_SECRET`.
    ///
    /// Keys, unless it is told otherwise. Where there is a shared secret, in the environment or as a file of an older release, it has to be
    /// told: with keys alone the instances of an older release that still run would not be understood, and with the secret whoever takes over
    /// one service can pose as any other. Neither comes about because a variable was forgotten.
    pub fn from_env(env: &Env, service: &str, clock: SharedClock) -> anyhow::Result<Self> {
        anyhow::ensure!(
            env.get(VARIABLE).is_some() || !SharedSecret::is_there(env),
            "a secret of all services is configured, and {VARIABLE} is not set: set it to `shared` while services of an older release \
             run; otherwise to `own`, and remove the secret (SERVICE_TOKEN_SECRET, or service_token.secret in KEYS_DIR)"
        );
        let mode = env.parse(VARIABLE, Mode::Own)?;
        let shared = if mode == Mode::Own { None } else { Some(SharedSecret::from_env(env)?) };
        if shared.is_some() {
            tracing::warn!(
                service,
                "the secret that all services share still opens /internal/v1: see SERVICE_TOKENS in the documentation"
            );
        }
        Self::new(service, &folder(env), shared, mode, clock)
    }

    /// Those of `service`, with keys in this folder and without a shared secret.
    pub fn with_keys(service: &str, folder: &Path, clock: SharedClock) -> anyhow::Result<Self> {
        Self::new(service, folder, None, Mode::Own, clock)
    }

    fn new(
        service: &str,
        folder: &Path,
        shared: Option<SharedSecret>,
        mode: Mode,
        clock: SharedClock,
    ) -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Inner {
            service: service.to_owned(),
            own: OwnKeys::load_or_create(folder, service, Arc::clone(&clock))?,
            known: KnownKeys::in_folder(folder),
            sends_shared: mode == Mode::Shared,
            shared,
            clock,
        })))
    }

    /// For calls of this service to `audience`.
    pub fn to(&self, audience: &str) -> CallTokens {
        CallTokens { tokens: self.clone(), audience: Arc::from(audience) }
    }

    fn mint(&self, audience: &str) -> anyhow::Result<String> {
        let inner = &*self.0;
        let iat = inner.clock.now().timestamp();
        if let Some(shared) = inner.shared.as_ref().filter(|_| inner.sends_shared) {
            return shared.mint(&inner.service, iat);
        }
        inner.own.sign(&ServiceClaims {
            iss: inner.service.clone(),
            sub: inner.service.clone(),
            aud: audience.to_owned(),
            iat,
            exp: iat + LIFETIME,
            jti: ids::new_id(),
        })
    }

    /// The calling service, if the token is one of ours, in force, and for this service.
    pub fn verify(&self, token: &str) -> Option<String> {
        if token.len() > LONGEST_TOKEN {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        // Each algorithm has a key of its own kind: a public key is never taken for a secret.
        match header.alg {
            Algorithm::EdDSA => self.verify_signed(token, &header.kid?),
            Algorithm::HS256 => self.0.shared.as_ref()?.verify(token, self.0.clock.now().timestamp()),
            _ => None,
        }
    }

    fn verify_signed(&self, token: &str, kid: &str) -> Option<String> {
        // A service that is called, and calls nobody, publishes what became of its keys all the same.
        self.0.own.look();
        let known = self.0.known.find(kid)?;
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_audience(&[&self.0.service]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are held against our own clock, below.
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<ServiceClaims>(token, &known.key, &rules).ok()?.claims;
        let now = self.0.clock.now().timestamp();
        let in_force = claims.iat <= now + LEEWAY && now < claims.exp;
        let short = claims.exp.checked_sub(claims.iat).is_some_and(|lifetime| lifetime <= LIFETIME);
        let its_own = claims.iss == claims.sub && known.services.contains(&claims.sub);
        (in_force && short && its_own).then_some(claims.sub)
    }
}

/// Tokens of one service for its calls to one other.
#[derive(Clone)]
pub struct CallTokens {
    tokens: ServiceTokens,
    audience: Arc<str>,
}

impl std::fmt::Debug for CallTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallTokens").field("audience", &self.audience).finish_non_exhaustive()
    }
}

impl CallTokens {
    /// A token for a call that is made now.
    pub fn mint(&self) -> anyhow::Result<String> {
        self.tokens.mint(&self.audience)
    }
}
