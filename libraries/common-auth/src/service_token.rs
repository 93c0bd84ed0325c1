//! Tokens with which services call each other's `/internal/v1`: HS256, one minute, for one audience that no customer's
//! token has. The secret is the deployment's own, from `SERVICE_TOKEN_SECRET` or a key file that all services share.

use std::sync::Arc;

use common_utils::{clock::SharedClock, config::Env, secret_file};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

const AUDIENCE: &str = "wallet-internal";
const LIFETIME: i64 = 60;
/// RFC 7518 § 3.2: an HS256 key has at least as many bits as the hash.
const SHORTEST_SECRET: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct ServiceClaims {
    /// The calling service.
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
}

#[derive(Clone)]
pub struct ServiceTokens(Arc<Keys>);

struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    clock: SharedClock,
}

impl std::fmt::Debug for ServiceTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServiceTokens")
    }
}

impl ServiceTokens {
    pub fn from_env(env: &Env, clock: SharedClock) -> anyhow::Result<Self> {
        let secret = match env.secret("SERVICE_TOKEN_SECRET") {
            Some(secret) => secret.expose_secret().as_bytes().to_vec(),
            None => secret_file::load_or_create(&env.keys_dir().join("service_token.secret"), || {
                Ok(hex::encode(rand::random::<[u8; 32]>()).into_bytes())
            })?,
        };
        Self::new(&secret, clock)
    }

    pub fn new(secret: &[u8], clock: SharedClock) -> anyhow::Result<Self> {
        anyhow::ensure!(
            secret.len() >= SHORTEST_SECRET,
            "SERVICE_TOKEN_SECRET must have at least {SHORTEST_SECRET} characters"
        );
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        Ok(Self(Arc::new(Keys { encoding, decoding, clock })))
    }

    /// A token for a call by `service`.
    pub fn mint(&self, service: &str) -> anyhow::Result<String> {
        let iat = self.0.clock.now().timestamp();
        let claims =
            ServiceClaims { sub: service.to_owned(), aud: AUDIENCE.to_owned(), iat, exp: iat + LIFETIME };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.0.encoding)?)
    }

    /// The calling service, if the token is ours and in force.
    pub fn verify(&self, token: &str) -> Option<String> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<ServiceClaims>(token, &self.0.decoding, &rules).ok()?.claims;
        (claims.exp > self.0.clock.now().timestamp()).then_some(claims.sub)
    }
}
