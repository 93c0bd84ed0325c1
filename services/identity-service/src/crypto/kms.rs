//! Master keys in a key management service that speaks the contract of HashiCorp Vault's transit engine: the keys never leave
//! it, and it sees people's keys only to wrap and to open them. One attempt a call, with a deadline; after failures in a row it is left alone
//! for a while. No answer's text is logged or kept.
//!
//! Keys are bound to their person by `associated_data`. The engine's own `rewrap` does not take that
//! (hashicorp/vault#31791), so a key that moves to another version is opened and wrapped again.

use std::time::Duration;

use anyhow::{Context, anyhow};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use common_utils::http_client::{self, BreakerConfig, ClientConfig};
use reqwest::{StatusCode, Url};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use zeroize::Zeroizing;

use super::key_provider::{KeyBytes, KeyError, KeyProvider, WrappedKey};

pub(super) const ID_PREFIX: &str = "kms:";
const TOKEN_HEADER: &str = "x-vault-token";

/// Where the service is, and which of its keys wraps.
#[derive(Debug, Clone)]
pub struct KmsConfig {
    pub base_url: String,
    pub key: String,
    pub token: SecretString,
    /// Of one call.
    pub timeout: Duration,
    pub breaker: BreakerConfig,
}

#[derive(Debug, Clone)]
pub(super) struct Kms {
    client: ClientWithMiddleware,
    key: String,
    encrypt: Url,
    decrypt: Url,
    describe: Url,
    rotate: Url,
    token: SecretString,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Deserialize)]
struct Decrypted {
    plaintext: SecretString,
}

#[derive(Deserialize)]
struct Described {
    latest_version: u32,
}

impl Kms {
    pub(super) fn new(config: KmsConfig) -> anyhow::Result<Self> {
        let patience =
            ClientConfig { timeout: config.timeout, retries: 0, proxy: true, breaker: config.breaker };
        let call =
            |verb: &str| http_client::join(&config.base_url, &format!("/v1/transit/{verb}/{}", config.key));
        Ok(Self {
            client: http_client::build(crate::SERVICE, "kms", &patience)?,
            encrypt: call("encrypt")?,
            decrypt: call("decrypt")?,
            describe: call("keys")?,
            rotate: http_client::join(&config.base_url, &format!("/v1/transit/keys/{}/rotate", config.key))?,
            key: config.key,
            token: config.token,
        })
    }

    /// Whether a master key of this name is one of ours; that it is there, only asking tells.
    pub(super) fn owns(key: &str, id: &str) -> bool {
        id.strip_prefix(ID_PREFIX)
            .and_then(|rest| rest.strip_prefix(key))
            .is_some_and(|rest| rest.starts_with(":v"))
    }

    pub(super) fn key(&self) -> &str {
        &self.key
    }

    fn id(&self, version: u32) -> String {
        format!("{ID_PREFIX}{}:v{version}", self.key)
    }

    async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refusal> {
        let token = self.token.expose_secret();
        let response = request
            .header(TOKEN_HEADER, token)
            .send()
            .await
            .map_err(|error| Refusal::NoAnswer(error.into()))?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::BAD_REQUEST => return Err(Refusal::BadRequest),
            status => return Err(Refusal::NoAnswer(anyhow!("the key management service answers {status}"))),
        }
        let answer = response.json::<Answer<T>>().await;
        let answer = answer.context("an answer that cannot be read").map_err(Refusal::NoAnswer)?;
        Ok(answer.data)
    }
}

/// Why there is no answer that could be used.
enum Refusal {
    NoAnswer(anyhow::Error),
    BadRequest,
}

impl Refusal {
    fn unavailable(self) -> KeyError {
        KeyError::Unavailable(match self {
            Self::NoAnswer(error) => error,
            Self::BadRequest => anyhow!("the key management service refuses the request"),
        })
    }
}

#[async_trait]
impl KeyProvider for Kms {
    async fn wrap(&self, context: &[u8], key: &KeyBytes) -> Result<WrappedKey, KeyError> {
        let plaintext = Zeroizing::new(STANDARD.encode(key.as_slice()));
        let body = json!({ "plaintext": *plaintext, "associated_data": STANDARD.encode(context) });
        let sent = self.client.post(self.encrypt.clone()).json(&body);
        let Encrypted { ciphertext } = self.ask(sent).await.map_err(Refusal::unavailable)?;
        let version = version(&ciphertext)
            .ok_or_else(|| KeyError::Unavailable(anyhow!("a ciphertext without a version")))?;
        Ok(WrappedKey { key_id: self.id(version), bytes: ciphertext.into_bytes() })
    }

    async fn unwrap(&self, context: &[u8], wrapped: &WrappedKey) -> Result<KeyBytes, KeyError> {
        let ciphertext = std::str::from_utf8(&wrapped.bytes).map_err(|_| KeyError::Damaged)?;
        let body = json!({ "ciphertext": ciphertext, "associated_data": STANDARD.encode(context) });
        let asked = self.ask(self.client.post(self.decrypt.clone()).json(&body)).await;
        let Decrypted { plaintext } = asked.map_err(|refusal| match refusal {
            Refusal::BadRequest => KeyError::Damaged,
            Refusal::NoAnswer(error) => KeyError::Unavailable(error),
        })?;
        let plain = STANDARD.decode(plaintext.expose_secret()).map(Zeroizing::new);
        let plain = plain.map_err(|_| KeyError::Damaged)?;
        Ok(Zeroizing::new(plain.as_slice().try_into().map_err(|_| KeyError::Damaged)?))
    }

    async fn current_key_id(&self) -> Result<String, KeyError> {
        let asked = self.ask(self.client.get(self.describe.clone())).await;
        let Described { latest_version } = asked.map_err(Refusal::unavailable)?;
        Ok(self.id(latest_version))
    }

    async fn held(&self) -> Result<Vec<String>, KeyError> {
        Ok(vec![self.current_key_id().await?])
    }

    async fn rotate(&self) -> Result<String, KeyError> {
        let sent = self
            .client
            .post(self.rotate.clone())
            .json(&json!({}))
            .header(TOKEN_HEADER, self.token.expose_secret());
        let response = sent.send().await.map_err(|error| KeyError::Unavailable(error.into()))?;
        // Some versions of the engine answer without a body.
        if !response.status().is_success() {
            return Err(KeyError::Unavailable(anyhow!(
                "the key management service answers {}",
                response.status()
            )));
        }
        self.current_key_id().await
    }

    /// Its keys are the service's to remove: whoever runs it raises `min_decryption_version`.
    async fn remove(&self, _key_id: &str) -> Result<(), KeyError> {
        Ok(())
    }
}

/// A ciphertext is `vault:v<version>:<base64>`.
fn version(ciphertext: &str) -> Option<u32> {
    let (version, _) = ciphertext.strip_prefix("vault:v")?.split_once(':')?;
    version.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ciphertext_names_the_version_of_its_key() {
        assert_eq!(
            version("vault:v12:8SDd3WHDOjf7mq69CyCqYjBXAiQQAVZRkFM13ok481zoCmHnSeDX9vyf7w=="),
            Some(12)
        );
        for other in ["", "vault:v:AA", "vault:1:AA", "v1:AA", "vault:v1", "vault:v-1:AA"] {
            assert_eq!(version(other), None, "{other}");
        }
    }

    #[test]
    fn keys_of_other_names_are_not_ours() {
        assert!(Kms::owns("wallet", "kms:wallet:v1"));
        for other in ["kms:wallet2:v1", "kms:wallet", "file:wallet:v1", "kms:other:v1"] {
            assert!(!Kms::owns("wallet", other), "{other}");
        }
    }
}
