//! `JWT_SECRET`: where it is set, access tokens are signed and checked with it (HS256) and with nothing else. Whoever can check
//! such tokens can make them, so the key of the deployment (Ed25519) is the default.

use std::sync::Arc;

use common_utils::config::{ConfigError, Env};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};

use crate::Claims;

/// RFC 7518 § 3.2: an HS256 key has at least as many bits as the hash.
const SHORTEST: usize = 32;
/// Names the secret in a token's header, where Kong looks for what to check the token with.
pub const SECRET_KID: &str = "jwt-secret";

#[derive(Debug, Clone)]
pub struct JwtSecret(Arc<SecretString>);

impl JwtSecret {
    /// None where access tokens have key pairs.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        env.secret("JWT_SECRET").map(Self::new).transpose()
    }

    pub fn new(secret: SecretString) -> Result<Self, ConfigError> {
        if secret.expose_secret().len() < SHORTEST {
            return Err(ConfigError::new(format!("JWT_SECRET must have at least {SHORTEST} bytes")));
        }
        Ok(Self(Arc::new(secret)))
    }

    /// A signed token (JWS, compact).
    pub fn sign(&self, claims: &Claims) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(SECRET_KID.to_owned());
        Ok(jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(self.bytes()))?)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_secret_is_refused_and_none_is_shown() {
        let env = |secret: &str| {
            let values = [("JWT_SECRET".to_owned(), secret.to_owned())];
            JwtSecret::from_env(&Env::from_values("identity", values.into()))
        };
        assert!(env("").unwrap().is_none());
        let short = "x".repeat(31);
        let error = env(&short).unwrap_err().to_string();
        assert!(
            error.contains("JWT_SECRET must have at least 32 bytes") && !error.contains(&short),
            "{error}"
        );
        let secret = env(&"x".repeat(32)).unwrap().unwrap();
        assert!(!format!("{secret:?}").contains("xxx"));
    }
}
