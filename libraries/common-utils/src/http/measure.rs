//! Rate, errors and duration of every route, by its template, so that ids never become labels.

use std::{
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::Method,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use metrics::{counter, describe_counter, describe_histogram, histogram};

use super::problem::Problem;

/// A request of a client takes at most this long, whatever it waits for.
const DEADLINE: Duration = Duration::from_secs(30);

/// Measures each request, refuses when its deadline passes or its handler panics, and logs it once.
pub fn measured(router: Router, service: &'static str) -> Router {
    describe_counter!("wallet_http_requests_total", "Requests answered, by route template and status.");
    describe_histogram!(
        "wallet_http_request_duration_seconds",
        "Time from request to answer, by route template."
    );
    router.layer(middleware::from_fn(move |request: Request, next: Next| measure(service, request, next)))
}

async fn measure(service: &'static str, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = label(request.method());
    let started = Instant::now();
    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let response = match tokio::time::timeout(DEADLINE, handled).await {
        Ok(Ok(response)) => response,
        // The panic hook has logged where and why.
        Ok(Err(_)) => Problem::internal(anyhow::anyhow!("a handler panicked")).into_response(),
        Err(_) => Problem::unavailable(anyhow::anyhow!("the deadline of the request passed")).into_response(),
    };
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    record(service, method, &route, status, elapsed);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if route.starts_with("/health") || route == "/metrics" {
        tracing::debug!(service, method, route, status, millis, "answered");
    } else {
        tracing::info!(service, method, route, status, millis, "answered");
    }
    response
}

/// Clients can make up methods, and each would stay a label for ever.
fn label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

fn record(service: &'static str, method: &'static str, route: &str, status: u16, elapsed: Duration) {
    counter!(
        "wallet_http_requests_total",
        "service" => service, "method" => method, "route" => route.to_owned(),
        "status" => status.to_string()
    )
    .increment(1);
    histogram!(
        "wallet_http_request_duration_seconds",
        "service" => service, "method" => method, "route" => route.to_owned()
    )
    .record(elapsed);
}
