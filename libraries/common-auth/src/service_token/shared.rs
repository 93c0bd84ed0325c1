//! The one secret that all services shared before each had a key (HS256): whoever has it can pose as any of them, to any of them. From
//! `SERVICE_TOKEN_SECRET` or a key file.

use std::path::PathBuf;

use common_utils::{config::Env, secret_file};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use super::LIFETIME;

const VARIABLE: &str = "SERVICE_TOKEN_SECRET";
/// No customer's token has it.
const AUDIENCE: &str = "wallet-internal";
/// RFC 7518 § 3.2: an HS256 key has at least as many bits as the hash.
const SHORTEST_SECRET: usize = 32;

#[derive(Debug, Serialize, Deserialize)]
struct SharedClaims {
    /// The calling service.
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
}

pub(super) struct SharedSecret {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

fn file(env: &Env) -> PathBuf {
    env.keys_dir().join("service_token.secret")
}

impl SharedSecret {
    /// Whether the deployment has one.
    pub(super) fn is_there(env: &Env) -> bool {
        env.get(VARIABLE).is_some() || file(env).exists()
    }

    pub(super) fn from_env(env: &Env) -> anyhow::Result<Self> {
        let secret = match env.secret(VARIABLE) {
            Some(secret) => secret.expose_secret().as_bytes().to_vec(),
            None => secret_file::load_or_create(&file(env), || {
                Ok(hex::encode(rand::random::<[u8; 32]>()).into_bytes())
            })?,
        };
        anyhow::ensure!(
            secret.len() >= SHORTEST_SECRET,
            "{VARIABLE} must have at least {SHORTEST_SECRET} characters"
        );
        Ok(Self { encoding: EncodingKey::from_secret(&secret), decoding: DecodingKey::from_secret(&secret) })
    }

    pub(super) fn mint(&self, service: &str, iat: i64) -> anyhow::Result<String> {
        let claims =
            SharedClaims { sub: service.to_owned(), aud: AUDIENCE.to_owned(), iat, exp: iat + LIFETIME };
        Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?)
    }

    /// The calling service, if the token is ours and in force.
    pub(super) fn verify(&self, token: &str, now: i64) -> Option<String> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[AUDIENCE]);
        rules.validate_exp = false;
        let claims = jsonwebtoken::decode::<SharedClaims>(token, &self.decoding, &rules).ok()?.claims;
        (claims.exp > now).then_some(claims.sub)
    }
}
