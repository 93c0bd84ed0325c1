//! The provider over HTTP: `POST /kyc/bvn/verify`, `/kyc/nin/verify` and `/kyc/documents/verify`, answered `match`, `partial`, `mismatch`
//! or `not_found`, the last two with the name on record where it has one. One attempt a call, with a deadline; after failures in a
//! row it is left alone for a while. No answer's text is logged or kept.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use common_utils::http_client::{self, BreakerConfig, ClientConfig};
use reqwest::Url;
use reqwest_middleware::ClientWithMiddleware;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    evidence::Finding,
    provider::{BvnClaim, BvnFinding, DocumentClaim, KycProvider, NinClaim, NoFinding, Report},
};

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
    bvn: Url,
    nin: Url,
    documents: Url,
    api_key: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status: Status,
    registered_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Match,
    Partial,
    Mismatch,
    NotFound,
}

/// Written without a copy of what is in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DocumentBody<'a> {
    kind: &'a str,
    content_type: &'a str,
    content: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    address: Option<String>,
}

impl HttpKycProvider {
    pub(crate) fn new(config: HttpKycConfig) -> anyhow::Result<Self> {
        let patience =
            ClientConfig { timeout: config.timeout, retries: 0, proxy: true, breaker: config.breaker };
        let at = |path| http_client::join(&config.base_url, path);
        Ok(Self {
            client: http_client::build(crate::SERVICE, "kyc", &patience)?,
            bvn: at("/kyc/bvn/verify")?,
            nin: at("/kyc/nin/verify")?,
            documents: at("/kyc/documents/verify")?,
            api_key: config.api_key,
        })
    }

    async fn ask(&self, address: &Url, body: &impl Serialize) -> anyhow::Result<Answer> {
        let mut request = self.client.post(address.clone()).json(body);
        if let Some(key) = &self.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        let response = request.send().await?;
        ensure!(response.status().is_success(), "status {}", response.status());
        response.json().await.context("an answer that cannot be read")
    }
}

impl From<Answer> for Report {
    fn from(answer: Answer) -> Self {
        let finding = match answer.status {
            Status::Match => Finding::Match,
            Status::Partial => Finding::Partial,
            Status::Mismatch => Finding::Mismatch,
            Status::NotFound => Finding::NotFound,
        };
        Self { finding, registered_name: answer.registered_name.map(Zeroizing::new) }
    }
}

/// Who is asked for one thing answers yes or no.
fn bvn_finding(answer: &Answer) -> anyhow::Result<BvnFinding> {
    Ok(match answer.status {
        Status::Match => BvnFinding::Match,
        Status::Mismatch => BvnFinding::Mismatch,
        Status::NotFound => BvnFinding::NotFound,
        Status::Partial => bail!("a status that is none of this check's"),
    })
}

#[async_trait]
impl KycProvider for HttpKycProvider {
    fn name(&self) -> &'static str {
        "bvn-check"
    }

    async fn verify_bvn(&self, claim: &BvnClaim) -> Result<BvnFinding, NoFinding> {
        let body = json!({
            "bvn": claim.bvn.digits(),
            "firstName": claim.first_name.as_str(),
            "lastName": claim.last_name.as_str(),
            "dateOfBirth": claim.date_of_birth.to_string(),
        });
        Ok(bvn_finding(&self.ask(&self.bvn, &body).await?)?)
    }

    async fn verify_nin(&self, claim: &NinClaim) -> Result<Report, NoFinding> {
        let body = json!({
            "nin": claim.nin.digits(),
            "firstName": claim.first_name.as_str(),
            "lastName": claim.last_name.as_str(),
            "dateOfBirth": claim.date_of_birth.to_string(),
        });
        Ok(self.ask(&self.nin, &body).await?.into())
    }

    async fn verify_document(&self, claim: &DocumentClaim) -> Result<Report, NoFinding> {
        let content = Zeroizing::new(STANDARD.encode(&*claim.content));
        let body = DocumentBody {
            kind: claim.kind.name(),
            content_type: claim.content_type.name(),
            content: &content,
            first_name: claim.first_name.as_str(),
            last_name: claim.last_name.as_str(),
            address: claim.address.as_ref().map(|at| format!("{}, {}, {}", at.line, at.city, at.state)),
        };
        Ok(self.ask(&self.documents, &body).await?.into())
    }
}
