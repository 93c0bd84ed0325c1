//! The other services, as this one calls them: `/internal/v1` with a service token. Nothing here is called while a
//! database transaction is open.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use axum::{
    Router,
    body::Body,
    http::{Request, header},
};
use common_auth::service_token::CallTokens;
use common_utils::{
    correlation,
    http_client::{self, CircuitOpen, ClientConfig},
};
use reqwest::StatusCode;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::{Serialize, de::DeserializeOwned};
use tower::ServiceExt;

use crate::SERVICE;

const LARGEST_ANSWER: usize = 16 * 1024 * 1024;

/// One other service.
#[derive(Clone)]
pub(crate) struct Peer(Arc<Inner>);

struct Inner {
    name: &'static str,
    base: String,
    client: ClientWithMiddleware,
    tokens: CallTokens,
    /// The service itself, where it runs in this process: what is posted goes there without the network.
    here: Option<Router>,
    timeout: Duration,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("name", &self.0.name).field("base", &self.0.base).finish_non_exhaustive()
    }
}

impl Peer {
    pub(crate) fn new(
        name: &'static str,
        base: &str,
        timeout: Duration,
        tokens: CallTokens,
        here: Option<Router>,
    ) -> anyhow::Result<Self> {
        let config = ClientConfig { timeout, ..ClientConfig::default() };
        let client = http_client::build(SERVICE, name, &config)?;
        Ok(Self(Arc::new(Inner { name, base: base.to_owned(), client, tokens, here, timeout })))
    }

    /// None when there is no such thing. Safe to repeat, so it is repeated when it fails.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<Option<T>> {
        let request = self.0.client.get(http_client::join(&self.0.base, path)?).query(query);
        let answer = self.send(request).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(answer).await.map(Some)
    }

    /// Sent once: whether a call whose answer was lost took effect is for the caller to find out.
    pub(crate) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> anyhow::Result<T> {
        if let Some(service) = &self.0.here {
            return self.post_here(service.clone(), path, body).await;
        }
        let request = self.0.client.post(http_client::join(&self.0.base, path)?).json(body);
        let answer = self.send(request).await?;
        self.read(answer).await
    }

    /// The same call, with the same token, through the same layers of the service.
    async fn post_here<B: Serialize, T: DeserializeOwned>(
        &self,
        service: Router,
        path: &str,
        body: &B,
    ) -> anyhow::Result<T> {
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.0.tokens.mint()?))
            .header(header::CONTENT_TYPE, "application/json")
            .header(correlation::HEADER, correlation::current())
            .body(Body::from(serde_json::to_vec(body)?))?;
        let late = || anyhow::anyhow!("{} does not answer: the time for the call is over", self.0.name);
        let Ok(answer) =
            tokio::time::timeout(self.0.timeout, service.oneshot(request)).await.map_err(|_| late())?;
        anyhow::ensure!(answer.status().is_success(), "{} answered {}", self.0.name, answer.status());
        let bytes = axum::body::to_bytes(answer.into_body(), LARGEST_ANSWER).await?;
        serde_json::from_slice(&bytes)
            .with_context(|| format!("{} gave an answer that cannot be read", self.0.name))
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<reqwest::Response> {
        let token = self.0.tokens.mint()?;
        let sent = request.bearer_auth(token).send().await;
        sent.map_err(|error| anyhow::anyhow!("{} does not answer: {}", self.0.name, reason(&error)))
    }

    async fn read<T: DeserializeOwned>(&self, answer: reqwest::Response) -> anyhow::Result<T> {
        let status = answer.status();
        anyhow::ensure!(status.is_success(), "{} answered {status}", self.0.name);
        let body = answer.json().await.map_err(reqwest::Error::without_url);
        body.with_context(|| format!("{} gave an answer that cannot be read", self.0.name))
    }
}

/// Why a call failed, without its address: that may hold a phone number, which does not belong into a log.
fn reason(error: &reqwest_middleware::Error) -> String {
    let (inner, circuit) = match error {
        reqwest_middleware::Error::Reqwest(error) => (Some(error), None),
        reqwest_middleware::Error::Middleware(error) => {
            (error.chain().find_map(|cause| cause.downcast_ref()), error.downcast_ref::<CircuitOpen>())
        }
    };
    match (inner, circuit) {
        (_, Some(circuit)) => circuit.to_string(),
        (Some(error), _) if error.is_timeout() => "the time for the call is over".to_owned(),
        (Some(error), _) if error.is_connect() => "no connection".to_owned(),
        _ => "the call failed".to_owned(),
    }
}
