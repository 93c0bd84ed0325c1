//! Checks access tokens. Keys come from identity-service's JWKS and are asked for again when a token names one that
//! is not known; a verified token is remembered until it expires, because checking a signature costs a hundred times
//! as much as remembering it.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use common_utils::{clock::SharedClock, http::Problem};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use crate::{
    Claims,
    claims::AUDIENCE,
    jwks::{JwkSet, PublicKey},
};

const REMEMBERED: usize = 50_000;
/// Unknown keys make us ask at most this often, whoever sends them.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// Clocks of two machines may differ by this much (seconds).
const LEEWAY: i64 = 5;
/// No token of ours comes near it.
const LONGEST_TOKEN: usize = 8 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the access token has expired")]
    Expired,
    #[error("the access token is not valid")]
    Invalid,
    #[error("the keys to check the token with are not to be had: {0:#}")]
    KeysUnavailable(anyhow::Error),
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Expired => Self::new(
                http::StatusCode::UNAUTHORIZED,
                "token_expired",
                "The access token has expired: refresh it.",
            ),
            TokenError::Invalid => Self::unauthenticated("The access token is not valid."),
            TokenError::KeysUnavailable(source) => Self::unavailable(source),
        }
    }
}

/// Checks tokens of one issuer.
pub struct TokenVerifier {
    issuer: String,
    clock: SharedClock,
    keys: RwLock<HashMap<String, DecodingKey>>,
    jwks: Option<JwksSource>,
    verified: Cache<[u8; 32], Arc<Claims>>,
}

struct JwksSource {
    client: reqwest::Client,
    url: String,
    /// Held while asking: whoever comes meanwhile waits for the same answer, also for a failure.
    asked: tokio::sync::Mutex<Option<Asked>>,
}

/// The last attempt to get the keys.
struct Asked {
    ended: Instant,
    failure: Option<String>,
}

impl std::fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenVerifier").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// With keys that are at hand.
    pub fn with_keys(issuer: &str, keys: &[PublicKey], clock: SharedClock) -> Self {
        let verifier = Self {
            issuer: issuer.to_owned(),
            clock,
            keys: RwLock::default(),
            jwks: None,
            verified: Cache::new(REMEMBERED),
        };
        verifier.learn(keys);
        verifier
    }

    /// With keys from `{identity}/.well-known/jwks.json`, read when they are first needed.
    pub fn with_jwks(issuer: &str, identity_url: &str, clock: SharedClock) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
        let url = format!("{}/.well-known/jwks.json", identity_url.trim_end_matches('/'));
        let jwks = JwksSource { client, url, asked: tokio::sync::Mutex::new(None) };
        Ok(Self { jwks: Some(jwks), ..Self::with_keys(issuer, &[], clock) })
    }

    fn learn(&self, keys: &[PublicKey]) {
        // The key is 32 bytes by its type; a shorter one would make the signature check panic.
        let decoded = keys.iter().map(|key| (key.kid().to_owned(), DecodingKey::from_ed_der(key.bytes())));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = decoded.collect();
    }

    /// The claims of a token that is ours, untouched and in force.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenError::Invalid);
        }
        let fingerprint: [u8; 32] = Sha256::digest(token).into();
        if let Some(claims) = self.verified.get(&fingerprint) {
            self.in_force(&claims)?;
            return Ok(claims);
        }
        let key = self.key_of(token).await?;
        let claims = Arc::new(self.decode(token, &key)?);
        self.in_force(&claims)?;
        self.verified.insert(fingerprint, Arc::clone(&claims));
        Ok(claims)
    }

    fn decode(&self, token: &str, key: &DecodingKey) -> Result<Claims, TokenError> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are held against our own clock, below.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        let decoded = jsonwebtoken::decode::<Claims>(token, key, &rules);
        decoded.map(|data| data.claims).map_err(|error| match error.kind() {
            ErrorKind::ExpiredSignature => TokenError::Expired,
            _ => TokenError::Invalid,
        })
    }

    fn in_force(&self, claims: &Claims) -> Result<(), TokenError> {
        let now = self.clock.now().timestamp();
        if claims.exp <= now {
            return Err(TokenError::Expired);
        }
        let future = |time: i64| time > now.saturating_add(LEEWAY);
        if claims.nbf.is_some_and(future) || future(claims.iat) {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }

    async fn key_of(&self, token: &str) -> Result<DecodingKey, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        if header.alg != Algorithm::EdDSA {
            return Err(TokenError::Invalid);
        }
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        if let Some(key) = self.known(&kid) {
            return Ok(key);
        }
        self.ask().await?;
        self.known(&kid).ok_or(TokenError::Invalid)
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    async fn ask(&self) -> Result<(), TokenError> {
        let Some(source) = &self.jwks else { return Ok(()) };
        let came = Instant::now();
        let mut asked = source.asked.lock().await;
        match asked.as_ref() {
            Some(Asked { ended, failure: None }) if ended.elapsed() < ASK_AGAIN => return Ok(()),
            // It failed while we waited for it. Asking in turn, each would wait for all before it.
            Some(Asked { ended, failure: Some(failure) }) if *ended >= came => {
                return Err(TokenError::KeysUnavailable(anyhow::anyhow!("{failure}")));
            }
            // A failure does not count beyond that: the next token may try at once.
            _ => {}
        }
        let fetched = source.fetch().await;
        let failure = fetched.as_ref().err().map(|error| format!("{error:#}"));
        *asked = Some(Asked { ended: Instant::now(), failure });
        self.learn(&fetched.map_err(TokenError::KeysUnavailable)?);
        Ok(())
    }
}

impl JwksSource {
    async fn fetch(&self) -> anyhow::Result<Vec<PublicKey>> {
        let answer = self.client.get(&self.url).send().await?.error_for_status()?;
        Ok(answer.json::<JwkSet>().await?.ed25519())
    }
}
