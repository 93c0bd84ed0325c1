//! The provider over HTTP: `POST /kyc/bvn/verify`, `/kyc/nin/verify` and `/kyc/documents/verify`, each answered `match`, `partial`, `mismatch`
//! or `not_found`, with the name on record (`registeredName`) and what is otherwise there (`mismatched`) where it tells them. One
//! attempt a call, with a deadline; after failures in a row it is left alone for a while. No answer's text is logged or kept.

use std::time::Duration;

use anyhow::{Context, ensure};
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
    evidence::{Attribute, Finding},
    provider::{BvnClaim, DocumentClaim, KycProvider, NinClaim, NoFinding, Report},
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
    mismatched: Option<Vec<String>>,
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
        let told = answer.mismatched.unwrap_or_default();
        let mut mismatched: Vec<_> = told.iter().map(|field| attribute(field)).collect();
        mismatched.sort_unstable();
        mismatched.dedup();
        let finding = match answer.status {
            Status::Match if mismatched.is_empty() => Finding::Match,
            // A match of which something does not fit is none.
            Status::Match | Status::Partial => Finding::Partial,
            Status::Mismatch => Finding::Mismatch,
            Status::NotFound => Finding::NotFound,
        };
        Self { finding, mismatched, registered_name: answer.registered_name.map(Zeroizing::new) }
    }
}

/// The provider's own word is not kept: nobody knows what stands in it.
fn attribute(field: &str) -> Attribute {
    match field {
        "firstName" => Attribute::FirstName,
        "lastName" => Attribute::LastName,
        "dateOfBirth" => Attribute::DateOfBirth,
        "address" => Attribute::Address,
        _ => Attribute::Other,
    }
}

#[async_trait]
impl KycProvider for HttpKycProvider {
    fn name(&self) -> &'static str {
        "bvn-check"
    }

    async fn verify_bvn(&self, claim: &BvnClaim) -> Result<Report, NoFinding> {
        let body = json!({
            "bvn": claim.bvn.digits(),
            "firstName": claim.first_name.as_str(),
            "lastName": claim.last_name.as_str(),
            "dateOfBirth": claim.date_of_birth.to_string(),
        });
        Ok(self.ask(&self.bvn, &body).await?.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(answer: serde_json::Value) -> Report {
        serde_json::from_value::<Answer>(answer).unwrap().into()
    }

    #[test]
    fn an_answer_is_taken_as_what_it_is() {
        let partial = report(json!({
            "status": "partial", "registeredName": "OBI A.", "mismatched": ["dateOfBirth", "blood", "dateOfBirth"],
        }));
        assert_eq!(partial.finding, Finding::Partial);
        assert_eq!(partial.mismatched, [Attribute::DateOfBirth, Attribute::Other]);
        assert_eq!(partial.registered_name.unwrap().as_str(), "OBI A.");
        let least = report(json!({ "status": "not_found", "mismatched": null, "score": 1 }));
        assert_eq!((least.finding, least.mismatched.len()), (Finding::NotFound, 0));
        let torn = report(json!({ "status": "match", "mismatched": ["lastName"] }));
        assert_eq!(torn.finding, Finding::Partial, "it contradicts itself: people look");
        assert!(serde_json::from_value::<Answer>(json!({ "status": "perhaps" })).is_err());
    }
}
