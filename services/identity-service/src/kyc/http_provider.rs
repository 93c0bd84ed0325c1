//! The provider over HTTP: `POST /kyc/bvn/verify`, answered `match`, `mismatch` or `not_found`. One attempt a call,
//! with a deadline; after failures in a row it is left alone for a while. No answer's text is logged or kept.

use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use common_utils::http_client::{self, BreakerConfig, ClientConfig};
use reqwest::Url;
use reqwest_middleware::ClientWithMiddleware;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::provider::{BvnClaim, BvnFinding, KycProvider, NoFinding};

/// Where the provider is and how long it is waited for.
#[derive(Debug, Clone)]
pub struct HttpKycConfig {
    pub base_url: String,
    /// Sent as bearer token, where the provider wants one.
    pub api_key: Option<SecretString>,
    pub timeout: Duration,
    pub breaker: BreakerConfig,
}

#[derive(Debug)]
pub(crate) struct HttpKycProvider {
    client: ClientWithMiddleware,
    verify: Url,
    api_key: Option<SecretString>,
}

#[derive(Deserialize)]
struct Answer {
    status: Finding,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Finding {
    Match,
    Mismatch,
    NotFound,
}

impl HttpKycProvider {
    pub(crate) fn new(config: HttpKycConfig) -> anyhow::Result<Self> {
        let patience =
            ClientConfig { timeout: config.timeout, retries: 0, proxy: true, breaker: config.breaker };
        Ok(Self {
            client: http_client::build(crate::SERVICE, "kyc", &patience)?,
            verify: http_client::join(&config.base_url, "/kyc/bvn/verify")?,
            api_key: config.api_key,
        })
    }

    async fn ask(&self, claim: &BvnClaim) -> anyhow::Result<BvnFinding> {
        let mut request = self.client.post(self.verify.clone()).json(&json!({
            "bvn": claim.bvn.digits(),
            "firstName": claim.first_name.as_str(),
            "lastName": claim.last_name.as_str(),
            "dateOfBirth": claim.date_of_birth.to_string(),
        }));
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await?;
        ensure!(response.status().is_success(), "status {}", response.status());
        let answer: Answer = response.json().await.context("an answer that cannot be read")?;
        Ok(match answer.status {
            Finding::Match => BvnFinding::Match,
            Finding::Mismatch => BvnFinding::Mismatch,
            Finding::NotFound => BvnFinding::NotFound,
        })
    }
}

#[async_trait]
impl KycProvider for HttpKycProvider {
    fn name(&self) -> &'static str {
        "bvn-check"
    }

    async fn verify_bvn(&self, claim: &BvnClaim) -> Result<BvnFinding, NoFinding> {
        Ok(self.ask(claim).await?)
    }
}
