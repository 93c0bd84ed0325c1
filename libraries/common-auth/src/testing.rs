//! Callers for tests: tokens of a key of the test's own, and who believes them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common_utils::{
    clock::SharedClock,
    ids::{self, UserId},
};

use crate::{
    Authenticator, Claims, Role,
    claims::{AUDIENCE, DEFAULT_ISSUER},
    proof::{Assurance, Method},
    service_token::ServiceTokens,
    signing::TokenSigner,
    verify::TokenVerifier,
};

/// Believes what this key has signed, and these tokens of services.
pub fn authenticator(signer: &TokenSigner, services: ServiceTokens, clock: &SharedClock) -> Authenticator {
    let keys = [signer.public_key().clone()];
    let tokens = TokenVerifier::with_keys(DEFAULT_ISSUER, &keys, Arc::clone(clock));
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
        amr: vec![Method::Password],
        acr: Assurance::Aal1,
        auth_time: Some(iat),
        pin_time: None,
        dev_at: None,
        factors: Vec::new(),
    }
}
