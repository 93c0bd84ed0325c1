//! Callers for tests: tokens of a key of the test's own, and who believes them.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use common_utils::{
    clock::SharedClock,
    ids::{self, UserId},
};

use crate::{
    Authenticator, Claims, Role, Scopes,
    claims::{AUDIENCE, DEFAULT_ISSUER, MACHINE_AUDIENCE},
    proof::{Assurance, Method},
    service_token::ServiceTokens,
    signing::TokenSigner,
    verify::TokenVerifier,
};

/// Tests move the clock.
const LIFETIME: Duration = Duration::from_hours(48);

/// Believes what this key has signed, and these tokens of services.
pub fn authenticator(signer: &TokenSigner, services: ServiceTokens, clock: &SharedClock) -> Authenticator {
    let keys = [signer.public_key().clone()];
    let tokens = TokenVerifier::with_keys(DEFAULT_ISSUER, &keys, Arc::clone(clock)).living(LIFETIME);
    Authenticator { tokens: Arc::new(tokens), services }
}

/// A customer who signed in now with a password, for a quarter of an hour.
pub fn claims(user: UserId, now: DateTime<Utc>) -> Claims {
    let iat = now.timestamp();
    Claims {
        iss: DEFAULT_ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: user,
        sid: ids::new_id(),
        roles: vec![Role::User],
        tier: 0,
        iat,
        exp: iat + 900,
        nbf: None,
        client_id: None,
        scope: None,
        amr: vec![Method::Password],
        acr: Assurance::Aal1,
        auth_time: Some(iat),
        pin_time: None,
        dev_at: None,
        factors: Vec::new(),
    }
}

/// A machine that acts for this person, with these scopes.
pub fn machine_claims(user: UserId, scopes: Scopes, now: DateTime<Utc>) -> Claims {
    Claims {
        aud: MACHINE_AUDIENCE.to_owned(),
        roles: Vec::new(),
        client_id: Some(ids::new_id()),
        scope: Some(scopes),
        ..claims(user, now)
    }
}

/// Services that call one of them, with keys in a folder of the test's. A service has its key from the moment it is named.
#[derive(Debug, Clone)]
pub struct Callers {
    folder: PathBuf,
    callee: &'static str,
    clock: SharedClock,
}

impl Callers {
    /// Who call `callee`, where `KEYS_DIR` is this.
    pub fn of(callee: &'static str, keys_dir: &Path, clock: &SharedClock) -> Self {
        Self { folder: keys_dir.join("services"), callee, clock: Arc::clone(clock) }
    }

    /// The same services, when they call another one.
    #[must_use]
    pub fn calling(&self, callee: &'static str) -> Self {
        Self { callee, ..self.clone() }
    }

    /// What the called one makes and checks tokens with.
    pub fn tokens(&self) -> anyhow::Result<ServiceTokens> {
        ServiceTokens::with_keys(self.callee, &self.folder, Arc::clone(&self.clock))
    }

    /// A token for a call by `service`.
    pub fn mint(&self, service: &str) -> anyhow::Result<String> {
        ServiceTokens::with_keys(service, &self.folder, Arc::clone(&self.clock))?.to(self.callee).mint()
    }
}
