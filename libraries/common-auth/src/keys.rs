//! The keys that access tokens are checked with: one algorithm for all of them, whatever a token's header says.
//!
//! Ed25519 keys come from identity-service's JWKS and are asked for again when a token names one that is not known, and from
//! time to time, so that a key that is no longer published is no longer believed. Where `JWT_SECRET` is set there is one
//! secret, HS256, and nothing to ask for.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::{Duration, Instant},
};

use jsonwebtoken::{Algorithm, DecodingKey};

use crate::{
    jwks::{JwkSet, PublicKey},
    secret::JwtSecret,
    verify::TokenError,
};

/// Unknown keys make us ask at most this often, whoever sends them.
const ASK_AGAIN: Duration = Duration::from_secs(5);

pub(crate) enum VerifyingKeys {
    Public(PublicKeys),
    Secret(DecodingKey),
}

#[derive(Default)]
pub(crate) struct PublicKeys {
    known: RwLock<HashMap<String, DecodingKey>>,
    source: Option<Source>,
}

struct Source {
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

impl VerifyingKeys {
    pub(crate) fn secret(secret: &JwtSecret) -> Self {
        Self::Secret(DecodingKey::from_secret(secret.bytes()))
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Public(_) => Algorithm::EdDSA,
            Self::Secret(_) => Algorithm::HS256,
        }
    }

    /// The key for a token that names this one.
    pub(crate) async fn of(&self, kid: Option<&str>) -> Result<DecodingKey, TokenError> {
        match self {
            Self::Secret(key) => Ok(key.clone()),
            Self::Public(keys) => keys.named(kid.ok_or(TokenError::Invalid)?).await,
        }
    }

    /// Whether that key is one of ours at this moment.
    pub(crate) fn has(&self, kid: Option<&str>) -> bool {
        match self {
            Self::Secret(_) => true,
            Self::Public(keys) => kid.is_some_and(|kid| keys.has(kid)),
        }
    }
}

impl PublicKeys {
    pub(crate) fn of(keys: &[PublicKey]) -> Self {
        let this = Self::default();
        this.learn(keys);
        this
    }

    pub(crate) fn from_jwks(identity_url: &str) -> anyhow::Result<Self> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).no_proxy().build()?;
        let url = format!("{}/.well-known/jwks.json", identity_url.trim_end_matches('/'));
        let source = Source { client, url, asked: tokio::sync::Mutex::new(None) };
        Ok(Self { source: Some(source), ..Self::default() })
    }

    /// These are the keys from now on.
    pub(crate) fn learn(&self, keys: &[PublicKey]) {
        // The key is 32 bytes by its type; a shorter one would make the signature check panic.
        let decoded = keys.iter().map(|key| (key.kid().to_owned(), DecodingKey::from_ed_der(key.bytes())));
        let new: HashMap<String, DecodingKey> = decoded.collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    async fn named(&self, kid: &str) -> Result<DecodingKey, TokenError> {
        if let Some(key) = self.known(kid) {
            return Ok(key);
        }
        self.ask().await?;
        self.known(kid).ok_or(TokenError::Invalid)
    }

    fn known(&self, kid: &str) -> Option<DecodingKey> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    fn has(&self, kid: &str) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(kid)
    }

    async fn ask(&self) -> Result<(), TokenError> {
        let Some(source) = &self.source else { return Ok(()) };
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

    /// Reads the keys anew, whether one is missing or not.
    pub(crate) async fn renew(&self) -> anyhow::Result<()> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut asked = source.asked.lock().await;
        let keys = source.fetch().await?;
        *asked = Some(Asked { ended: Instant::now(), failure: None });
        self.learn(&keys);
        Ok(())
    }
}

impl Source {
    async fn fetch(&self) -> anyhow::Result<Vec<PublicKey>> {
        let answer = self.client.get(&self.url).send().await?.error_for_status()?;
        Ok(answer.json::<JwkSet>().await?.ed25519())
    }
}
