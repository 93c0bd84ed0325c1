//! Asks identity-service who a person is, for a provider that must know. The answer holds a BVN: it is handed on and
//! kept nowhere, and neither answer nor address gets into a log.

use chrono::NaiveDate;
use common_auth::service_token::{CallTokens, ServiceTokens};
use common_utils::{
    http_client::{self, ClientConfig, ClientError},
    ids::UserId,
};
use reqwest::{StatusCode, Url};
use reqwest_middleware::ClientWithMiddleware;
use secrecy::SecretString;
use serde::Deserialize;

use crate::providers::Person;

#[derive(Debug, Clone)]
pub struct Identity {
    http: ClientWithMiddleware,
    base_url: String,
    tokens: CallTokens,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum IdentityError {
    #[error("the person is not verified")]
    NotVerified,
    #[error("unavailable: {0}")]
    Unavailable(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    bvn: SecretString,
    date_of_birth: NaiveDate,
    first_name: String,
    last_name: String,
    phone_number: String,
    email: String,
}

impl Identity {
    pub fn new(base_url: &str, tokens: &ServiceTokens) -> anyhow::Result<Self> {
        let http = http_client::build(crate::SERVICE, "identity", &ClientConfig::default())?;
        http_client::join(base_url, "/")?;
        Ok(Self { http, base_url: base_url.to_owned(), tokens: tokens.to("identity-service") })
    }

    /// The person as they were verified.
    pub(super) async fn person(&self, user: UserId) -> Result<Person, IdentityError> {
        let failed = |error: anyhow::Error| IdentityError::Unavailable(format!("{error:#}"));
        let token = self.tokens.mint().map_err(failed)?;
        let address: Url =
            http_client::join(&self.base_url, &format!("/internal/v1/users/{user}/kyc")).map_err(failed)?;
        let response = self.http.get(address).bearer_auth(token).send().await.map_err(unreached)?;
        match response.status() {
            StatusCode::NOT_FOUND => return Err(IdentityError::NotVerified),
            status if !status.is_success() => return Err(IdentityError::Unavailable(status.to_string())),
            _ => {}
        }
        // The message of a decoding error may quote the answer.
        let verified: Verified = response
            .json()
            .await
            .map_err(|_| IdentityError::Unavailable("an answer that cannot be read".to_owned()))?;
        Ok(Person {
            user_id: user,
            bvn: verified.bvn,
            first_name: verified.first_name,
            last_name: verified.last_name,
            date_of_birth: verified.date_of_birth,
            phone_number: verified.phone_number,
            email: verified.email,
        })
    }
}

fn unreached(error: ClientError) -> IdentityError {
    IdentityError::Unavailable(match error {
        ClientError::Reqwest(error) => format!("{:#}", anyhow::Error::new(error.without_url())),
        ClientError::Middleware(error) => format!("{error:#}"),
    })
}
