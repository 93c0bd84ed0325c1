//! The client with which we call other services and providers: every call has a deadline, calls that are safe to
//! repeat are repeated a few times with back-off, and a circuit breaker stops calling what does not answer.

mod breaker;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::http::{Extensions, Method};
use reqwest::{Request, Response, Url, header::HeaderValue};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_retry::{RetryTransientMiddleware, policies::ExponentialBackoff};

pub use breaker::{Breaker, BreakerConfig};
pub use reqwest_middleware::Error as ClientError;

use crate::{correlation, telemetry::trace_context};

/// How patient a client is.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Of one attempt, from connecting to the last byte.
    pub timeout: Duration,
    /// Of GET, HEAD, PUT and DELETE; other methods are sent once.
    pub retries: u32,
    /// Through the proxy that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` name, as what lies outside may need it.
    /// Calls between services go straight.
    pub proxy: bool,
    pub breaker: BreakerConfig,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), retries: 2, proxy: false, breaker: BreakerConfig::default() }
    }
}

/// A client of `service` for one remote system, which has a breaker of its own.
pub fn build(
    service: &'static str,
    remote: &'static str,
    config: &ClientConfig,
) -> anyhow::Result<ClientWithMiddleware> {
    let builder = reqwest::Client::builder();
    let builder = if config.proxy { builder } else { builder.no_proxy() };
    let client = builder
        .timeout(config.timeout)
        .connect_timeout(config.timeout.min(Duration::from_secs(3)))
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let backoff = ExponentialBackoff::builder()
        .retry_bounds(Duration::from_millis(50), Duration::from_secs(1))
        .build_with_max_retries(config.retries);
    Ok(ClientBuilder::new(client)
        .with(RetryIdempotent(RetryTransientMiddleware::new_with_policy(backoff)))
        .with(BreakerMiddleware(Arc::new(Breaker::new(service, remote, config.breaker.clone()))))
        .with(Propagate)
        .build())
}

/// Joins a base address and a path, whatever slashes they end and begin with.
pub fn join(base: &str, path: &str) -> anyhow::Result<Url> {
    let address = format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'));
    Url::parse(&address).map_err(|error| anyhow::anyhow!("{address} is no address: {error}"))
}

/// Repeats only what is safe to repeat: a POST whose answer was lost may have been done.
struct RetryIdempotent(RetryTransientMiddleware<ExponentialBackoff>);

#[async_trait]
impl Middleware for RetryIdempotent {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::PUT | Method::DELETE) {
            self.0.handle(request, extensions, next).await
        } else {
            next.run(request, extensions).await
        }
    }
}

/// The remote system failed so often that it is left alone for a while.
#[derive(Debug, thiserror::Error)]
#[error("{0} has failed repeatedly and is not called for a while")]
pub struct CircuitOpen(pub &'static str);

struct BreakerMiddleware(Arc<Breaker>);

#[async_trait]
impl Middleware for BreakerMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let permit =
            self.0.try_acquire().ok_or_else(|| ClientError::middleware(CircuitOpen(self.0.remote())))?;
        let result = next.run(request, extensions).await;
        let failed = result.as_ref().map_or(true, |response| response.status().is_server_error());
        permit.finish(!failed);
        result
    }
}

/// Hands on the correlation id and the trace.
struct Propagate;

#[async_trait]
impl Middleware for Propagate {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let headers = request.headers_mut();
        if let Ok(value) = HeaderValue::from_str(&correlation::current()) {
            headers.insert(correlation::HEADER, value);
        }
        if let Some(value) = trace_context::traceparent().and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert("traceparent", value);
        }
        next.run(request, extensions).await
    }
}
