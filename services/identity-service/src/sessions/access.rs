//! Access tokens: signed, short-lived, and never in force longer than their session.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{Claims, claims::AUDIENCE, jwks::PublicKey, key_ring::KeyRing, secret::JwtSecret};

use super::{entity::Session, error::SessionError, token::RefreshToken};
use crate::users::entity::User;

#[derive(Debug, Clone)]
pub(crate) struct AccessTokens {
    pub(crate) signer: Signer,
    pub(crate) issuer: String,
    pub(crate) lifetime: Duration,
}

/// One of the two, and never both.
#[derive(Debug, Clone)]
pub(crate) enum Signer {
    Keys(Arc<KeyRing>),
    Secret(JwtSecret),
}

impl Signer {
    pub(crate) fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        match self {
            Self::Keys(keys) => keys.sign(claims),
            Self::Secret(secret) => secret.sign(claims),
        }
    }

    /// What everybody may check tokens with: nothing, where a secret signs them.
    pub(crate) fn published(&self) -> Vec<PublicKey> {
        match self {
            Self::Keys(keys) => keys.published(),
            Self::Secret(_) => Vec::new(),
        }
    }
}

/// What somebody gets who signed in.
#[derive(Debug)]
pub(crate) struct IssuedTokens {
    pub(crate) access: AccessToken,
    pub(crate) refresh: RefreshToken,
}

/// What somebody gets whose session goes on with what it has.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) token: String,
    /// Seconds until it expires.
    pub(crate) expires_in: i64,
}

/// By how much the clocks of instances may differ.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(1);
/// The gateway demands `nbf` and knows no leeway, and its clock may be behind ours.
const CLOCK_SKEW_SECONDS: i64 = 30;

impl AccessTokens {
    /// How long an access token lives at the most.
    pub(crate) fn longest(&self) -> TimeDelta {
        // Hundreds of millions of years.
        TimeDelta::from_std(self.lifetime).unwrap_or(TimeDelta::MAX)
    }

    /// Until when what was signed up to now is to be refused: an instance whose clock is ahead of this one's may have signed it.
    pub(crate) fn refused_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now + self.longest() + CLOCKS_DIFFER
    }

    /// What ended before then has no tokens in force any more: the other way round from [`Self::refused_until`].
    pub(crate) fn outlived_since(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - self.longest() - CLOCKS_DIFFER
    }

    /// `iat` and `nbf` of a token that is signed now.
    pub(crate) fn dates(now: DateTime<Utc>) -> (i64, i64) {
        let iat = now.timestamp();
        (iat, iat.saturating_sub(CLOCK_SKEW_SECONDS))
    }

    pub(crate) fn issue(
        &self,
        user: &User,
        session: &Session,
        now: DateTime<Utc>,
    ) -> Result<AccessToken, SessionError> {
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires_in = lifetime.min((session.expires_at - now).num_seconds());
        let (iat, nbf) = Self::dates(now);
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: user.id,
            sid: session.id.uuid(),
            roles: user.roles.iter().copied().collect(),
            tier: user.kyc_tier,
            iat,
            exp: iat.saturating_add(expires_in),
            nbf: Some(nbf),
            client_id: None,
            scope: None,
            amr: session.proof.methods.iter().copied().collect(),
            acr: session.proof.assurance(),
            auth_time: Some(session.proof.at.timestamp()),
            pin_time: session.pin_at.map(|at| at.timestamp()),
            dev_at: session.device.map(|device| device.since.timestamp()),
            factors: user.factors.iter().copied().collect(),
        };
        let token = self.signer.sign(&claims).map_err(SessionError::Signing)?;
        Ok(AccessToken { token, expires_in })
    }
}
