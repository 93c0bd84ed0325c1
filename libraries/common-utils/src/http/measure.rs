//! Rate, errors and duration of every route, by its template, so that ids never become labels.

use std::time::{Duration, Instant};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use metrics::{counter, describe_counter, describe_histogram, histogram};

/// A request of a client takes at most this long, whatever it waits for.
const DEADLINE: Duration = Duration::from_secs(30);

/// Measures each request, refuses when its deadline passes, and logs it once.
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
    let method = request.method().to_string();
    let started = Instant::now();
    let response = tokio::time::timeout(DEADLINE, next.run(request))
        .await
        .unwrap_or_else(|_| StatusCode::GATEWAY_TIMEOUT.into_response());
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    record(service, &method, &route, status, elapsed);
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if route.starts_with("/health") || route == "/metrics" {
        tracing::debug!(service, method, route, status, millis, "answered");
    } else {
        tracing::info!(service, method, route, status, millis, "answered");
    }
    response
}

fn record(service: &'static str, method: &str, route: &str, status: u16, elapsed: Duration) {
    counter!(
        "wallet_http_requests_total",
        "service" => service, "method" => method.to_owned(), "route" => route.to_owned(),
        "status" => status.to_string()
    )
    .increment(1);
    histogram!(
        "wallet_http_request_duration_seconds",
        "service" => service, "method" => method.to_owned(), "route" => route.to_owned()
    )
    .record(elapsed);
}
