//! A schema registry, by Confluent's REST interface, for readers that look schemas up. Each version of an event type is a subject,
//! `<type>.v<version>`, with FORWARD compatibility.
//!
//! A service registers what it publishes when it starts, and does not start where the registry says that readers would break. A
//! registry that does not answer keeps nobody from working: the committed schemas, which the checks hold against each other, are
//! what counts.

use std::time::Duration;

use common_utils::{
    config::{ConfigError, Env},
    http_client::{self, ClientConfig},
};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::contracts::{self, Contract};

const PATIENCE: Duration = Duration::from_secs(5);
/// What the registry's clients send and understand.
const MEDIA_TYPE: &str = "application/vnd.schemaregistry.v1+json";

/// Where the registry is: `SCHEMA_REGISTRY_URL`, with `SCHEMA_REGISTRY_USER` and `SCHEMA_REGISTRY_PASSWORD` where it asks for them.
#[derive(Debug, Clone)]
pub struct Registry {
    url: String,
    login: Option<(String, SecretString)>,
}

#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error(
        "the schema registry says that {subject} would break its readers: {reason}; make it a new version"
    )]
    Incompatible { subject: String, reason: String },
    #[error("the schema registry refuses {subject} with {status}: {reason}")]
    Refused { subject: String, status: u16, reason: String },
    #[error("the schema registry does not answer: {0:#}")]
    Unavailable(anyhow::Error),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewSchema {
    schema_type: &'static str,
    schema: String,
}

#[derive(Deserialize)]
struct Verdict {
    is_compatible: bool,
    #[serde(default)]
    messages: Vec<String>,
}

/// Registers what the service publishes, if there is a registry. An error is a reason not to start.
pub async fn register_on_start(env: &Env, service: &'static str) -> anyhow::Result<()> {
    let Some(registry) = Registry::from_env(env)? else { return Ok(()) };
    match registry.register(service, &contracts::of(service)).await {
        Ok(subjects) => tracing::info!(subjects, "schemas are registered"),
        Err(error @ RegistryError::Unavailable(_)) => {
            tracing::warn!(%error, "schemas are not registered; the next start tries again");
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

impl Registry {
    /// None where the committed schemas are the registry.
    pub fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some(url) = env.get("SCHEMA_REGISTRY_URL") else { return Ok(None) };
        http_client::join(url, "subjects")
            .map_err(|error| ConfigError::new(format!("SCHEMA_REGISTRY_URL: {error}")))?;
        let login = match (env.get("SCHEMA_REGISTRY_USER"), env.secret("SCHEMA_REGISTRY_PASSWORD")) {
            (Some(user), Some(password)) => Some((user.to_owned(), password)),
            (None, None) => None,
            _ => {
                let say = "SCHEMA_REGISTRY_USER and SCHEMA_REGISTRY_PASSWORD go together";
                return Err(ConfigError::new(say));
            }
        };
        Ok(Some(Self { url: url.to_owned(), login }))
    }

    /// Registers the schemas, and tells how many. None of them is registered when one would break readers.
    pub async fn register(
        &self,
        service: &'static str,
        contracts: &[Contract],
    ) -> Result<usize, RegistryError> {
        let config = ClientConfig { timeout: PATIENCE, ..ClientConfig::default() };
        let client =
            http_client::build(service, "schema-registry", &config).map_err(RegistryError::Unavailable)?;
        for contract in contracts {
            let subject = contract.subject();
            self.set_compatibility(&client, &subject).await?;
            self.check(&client, &subject, contract).await?;
        }
        for contract in contracts {
            self.add(&client, &contract.subject(), contract).await?;
        }
        Ok(contracts.len())
    }

    async fn set_compatibility(
        &self,
        client: &ClientWithMiddleware,
        subject: &str,
    ) -> Result<(), RegistryError> {
        let request = client.put(self.address(&format!("config/{subject}"))?);
        let answer = self.send(request, &json!({ "compatibility": "FORWARD" })).await?;
        answer.accepted(subject).map(drop)
    }

    async fn check(
        &self,
        client: &ClientWithMiddleware,
        subject: &str,
        contract: &Contract,
    ) -> Result<(), RegistryError> {
        let path = format!("compatibility/subjects/{subject}/versions/latest?verbose=true");
        let answer = self.send(client.post(self.address(&path)?), &new_schema(contract)).await?;
        // Nobody has registered it yet.
        if answer.status == 404 {
            return Ok(());
        }
        let verdict: Verdict = serde_json::from_str(answer.accepted(subject)?)
            .map_err(|error| RegistryError::Unavailable(error.into()))?;
        if verdict.is_compatible {
            return Ok(());
        }
        let reason = verdict.messages.join("; ");
        Err(RegistryError::Incompatible { subject: subject.to_owned(), reason })
    }

    async fn add(
        &self,
        client: &ClientWithMiddleware,
        subject: &str,
        contract: &Contract,
    ) -> Result<(), RegistryError> {
        let request = client.post(self.address(&format!("subjects/{subject}/versions"))?);
        let answer = self.send(request, &new_schema(contract)).await?;
        if answer.status == 409 {
            return Err(RegistryError::Incompatible { subject: subject.to_owned(), reason: answer.body });
        }
        answer.accepted(subject).map(drop)
    }

    fn address(&self, path: &str) -> Result<String, RegistryError> {
        let address = http_client::join(&self.url, path).map_err(RegistryError::Unavailable)?;
        Ok(address.into())
    }

    async fn send(&self, request: RequestBuilder, body: &impl Serialize) -> Result<Answer, RegistryError> {
        let unavailable = |error: anyhow::Error| RegistryError::Unavailable(error);
        let body = serde_json::to_vec(body).map_err(|error| unavailable(error.into()))?;
        let mut request = request.header("content-type", MEDIA_TYPE).header("accept", MEDIA_TYPE).body(body);
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password.expose_secret()));
        }
        let answer = request.send().await.map_err(|error| unavailable(error.into()))?;
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| unavailable(error.into()))?;
        if status >= 500 {
            return Err(unavailable(anyhow::anyhow!("{status}: {body}")));
        }
        Ok(Answer { status, body })
    }
}

struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn accepted(&self, subject: &str) -> Result<&str, RegistryError> {
        if (200..300).contains(&self.status) {
            return Ok(&self.body);
        }
        Err(RegistryError::Refused {
            subject: subject.to_owned(),
            status: self.status,
            reason: self.body.clone(),
        })
    }
}

fn new_schema(contract: &Contract) -> NewSchema {
    NewSchema { schema_type: "JSON", schema: contract.schema.to_string() }
}
