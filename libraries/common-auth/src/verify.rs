//! Checks access tokens: the signature, by a key of ours and one algorithm (`keys.rs`), then what the claims say, then whether it
//! was taken back (`revocation`). A verified token is remembered until it expires, because checking a signature costs a
//! hundred times as much as remembering it; its time, whether its key is still ours, and whether it was taken back are looked at on
//! every call.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{clock::SharedClock, http::Problem};
use jsonwebtoken::{DecodingKey, Validation, errors::ErrorKind};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::{
    Claims, Scope,
    claims::{AUDIENCE, MACHINE_AUDIENCE},
    jwks::PublicKey,
    keys::{PublicKeys, VerifyingKeys},
    revocation::{self, Revocations},
    secret::JwtSecret,
};

const REMEMBERED: usize = 50_000;
/// Clocks of two machines may differ by this much (seconds).
const LEEWAY: i64 = 5;
/// No token of ours comes near it.
const LONGEST_TOKEN: usize = 8 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the access token has expired")]
    Expired,
    /// Roles or the tier changed after it was signed.
    #[error("the access token says what no longer holds")]
    Outdated,
    #[error("the session of the access token has ended")]
    Ended,
    #[error("the account of the access token is not active")]
    Inactive,
    #[error("the access token is not valid")]
    Invalid,
    /// A machine's token, where machines may not call, or not with what it may do.
    #[error("the access token is a machine's, and does not reach here")]
    OutOfScope(Option<Scope>),
    #[error("the keys to check the token with are not to be had: {0:#}")]
    KeysUnavailable(anyhow::Error),
    #[error("whether the session goes on is not to be had: {0:#}")]
    SessionsUnavailable(anyhow::Error),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let refresh = |why| Self::new(http::StatusCode::UNAUTHORIZED, "token_expired", why);
        match error {
            TokenError::Expired => refresh("The access token has expired: refresh it."),
            TokenError::Outdated => refresh("What you may do has changed: refresh the access token."),
            TokenError::Inactive => Self::forbidden("This account is not active. Ask support."),
            TokenError::Ended => Self::unauthenticated("The session has ended: sign in again."),
            TokenError::Invalid => Self::unauthenticated("The access token is not valid."),
            TokenError::OutOfScope(scope) => out_of_scope(scope),
            TokenError::KeysUnavailable(source) | TokenError::SessionsUnavailable(source) => {
                Self::unavailable(source)
            }
        }
    }
}

/// As RFC 6750 § 3.1 has it.
fn out_of_scope(needed: Option<Scope>) -> Problem {
    let refused = |detail: String| Problem::new(http::StatusCode::FORBIDDEN, "insufficient_scope", detail);
    match needed.map(Scope::name) {
        Some(name) => refused(format!("The API key has to have the scope {name}."))
            .challenge(&format!(r#"Bearer error="insufficient_scope", scope="{name}""#)),
        None => refused("No API key may do this: a person has to sign in.".to_owned())
            .challenge(r#"Bearer error="insufficient_scope""#),
    }
}

/// Where sessions are known for certain. Only identity-service has one: the others hear of what ends.
#[async_trait]
pub trait SessionRecord: Send + Sync {
    /// Whether the session goes on and what the token says still holds.
    async fn check(&self, claims: &Claims) -> Result<(), TokenError>;
}

/// Checks tokens of one issuer.
pub struct TokenVerifier {
    issuer: String,
    clock: SharedClock,
    keys: VerifyingKeys,
    lifetime: TimeDelta,
    revoked: Arc<Revocations>,
    record: Option<Arc<dyn SessionRecord>>,
    verified: Cache<[u8; 32], Verified>,
}

/// What is remembered of a token. What a key has signed that is gone is not believed any more.
#[derive(Clone)]
struct Verified {
    kid: Option<Arc<str>>,
    claims: Arc<Claims>,
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl TokenVerifier {
    fn new(issuer: &str, keys: VerifyingKeys, clock: SharedClock) -> Self {
        Self {
            issuer: issuer.to_owned(),
            clock,
            keys,
            lifetime: TimeDelta::seconds(revocation::DEFAULT_LIFETIME.as_secs().cast_signed()),
            revoked: Arc::default(),
            record: None,
            verified: Cache::new(REMEMBERED),
        }
    }

    /// With keys that are at hand: identity-service itself, and tests.
    pub fn with_keys(issuer: &str, keys: &[PublicKey], clock: SharedClock) -> Self {
        Self::new(issuer, VerifyingKeys::Public(PublicKeys::of(keys)), clock)
    }

    /// With the keys that identity-service at `identity_url` publishes, asked for when they are first needed.
    pub fn with_jwks(issuer: &str, identity_url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        Ok(Self::new(issuer, VerifyingKeys::Public(PublicKeys::from_jwks(identity_url)?), clock))
    }

    /// With the deployment's secret, and no key pair.
    pub fn with_secret(issuer: &str, secret: &JwtSecret, clock: SharedClock) -> Self {
        Self::new(issuer, VerifyingKeys::secret(secret), clock)
    }

    /// For tokens that live so long.
    #[must_use]
    pub fn living(self, lifetime: Duration) -> Self {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX / 1000);
        Self { lifetime: TimeDelta::seconds(seconds), ..self }
    }

    /// Asking `record` about each token.
    #[must_use]
    pub fn recorded_by(self, record: Arc<dyn SessionRecord>) -> Self {
        Self { record: Some(record), ..self }
    }

    /// What is taken back before it expires.
    pub fn revocations(&self) -> &Arc<Revocations> {
        &self.revoked
    }

    /// The time that tokens are held against.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn lifetime(&self) -> TimeDelta {
        self.lifetime
    }

    /// These are the public keys from now on.
    pub fn learn(&self, keys: &[PublicKey]) {
        if let VerifyingKeys::Public(public) = &self.keys {
            public.learn(keys);
        }
    }

    /// Reads the published keys anew.
    pub async fn renew_keys(&self) -> anyhow::Result<()> {
        match &self.keys {
            VerifyingKeys::Public(public) => public.renew().await,
            VerifyingKeys::Secret(_) => Ok(()),
        }
    }

    /// The claims of a person's token that is ours, untouched, in force and not taken back.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let claims = self.verify_signed(token).await?;
        self.held(&claims).await?;
        Ok(claims)
    }

    /// The same, also of a machine that has this scope.
    pub async fn verify_for(&self, scope: Scope, token: &str) -> Result<Arc<Claims>, TokenError> {
        let claims = self.signed(token).await?;
        if claims.scope.as_ref().is_some_and(|scopes| !scopes.contains(scope)) {
            return Err(TokenError::OutOfScope(Some(scope)));
        }
        self.held(&claims).await?;
        Ok(claims)
    }

    /// Whether what was signed still holds.
    async fn held(&self, claims: &Claims) -> Result<(), TokenError> {
        self.revoked.check(claims)?;
        match &self.record {
            Some(record) => record.check(claims).await,
            None => Ok(()),
        }
    }

    /// The claims of a person's token that is ours, untouched and in force, though it may have been taken back.
    pub async fn verify_signed(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        let claims = self.signed(token).await?;
        if claims.is_machine() { Err(TokenError::OutOfScope(None)) } else { Ok(claims) }
    }

    async fn signed(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Invalid);
        }
        let fingerprint: [u8; 32] = Sha256::digest(token).into();
        let verified = match self.verified.get(&fingerprint) {
            Some(verified) => verified,
            None => self.verify_anew(token, fingerprint).await?,
        };
        if !self.keys.has(verified.kid.as_deref()) {
            self.verified.remove(&fingerprint);
            return Err(TokenError::Invalid);
        }
        self.in_force(&verified.claims)?;
        Ok(verified.claims)
    }

    async fn verify_anew(&self, token: &str, fingerprint: [u8; 32]) -> Result<Verified, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.alg != self.keys.algorithm() {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid;
        let key = self.keys.of(kid.as_deref()).await?;
        let claims = Arc::new(self.decode(token, &key)?);
        self.in_force(&claims)?;
        let verified = Verified { kid: kid.map(Arc::from), claims };
        self.verified.insert(fingerprint, verified.clone());
        Ok(verified)
    }

    fn decode(&self, token: &str, key: &DecodingKey) -> Result<Claims, TokenError> {
        let mut rules = Validation::new(self.keys.algorithm());
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[AUDIENCE, MACHINE_AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are held against our own clock, below.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &rules);
        let claims = decoded.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            _ => TokenError::Invalid,
        })?;
        if claims.agree() { Ok(claims) } else { Err(TokenError::Invalid) }
    }

    /// A token is believed for as long as tokens live here, whatever it says: what was taken back is remembered no longer.
    fn in_force(&self, claims: &Claims) -> Result<(), TokenError> {
        let now = self.clock.now().timestamp();
        let longest = claims.iat.saturating_add(self.lifetime.num_seconds()).saturating_add(LEEWAY);
        if claims.exp.min(longest) <= now {
            return Err(TokenError::Expired);
        }
        let future = |time: i64| time > now.saturating_add(LEEWAY);
        if claims.nbf.is_some_and(future) || future(claims.iat) {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }
}
