//! The outermost layer: gives the request its correlation id, turns refusals into problem+json, catches panics.

use std::panic::AssertUnwindSafe;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Response, StatusCode, header},
    middleware::{self, Next},
};
use futures::FutureExt;
use tracing::Instrument;

use super::problem::{Carried, Problem};
use crate::{correlation, telemetry::trace_context};

/// Wraps a finished router.
pub fn with_context(router: Router) -> Router {
    router.layer(middleware::from_fn(context))
}

async fn context(request: Request, next: Next) -> Response<Body> {
    let offered = request.headers().get(correlation::HEADER).and_then(|value| value.to_str().ok());
    let correlation_id = correlation::accept(offered);
    let path = request.uri().path().to_owned();
    let span = tracing::info_span!("request", method = %request.method(), path, correlation_id);
    trace_context::adopt_parent(&span, request.headers());

    let handled = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answered = correlation::scope(correlation_id.clone(), handled).instrument(span.clone()).await;
    let _entered = span.entered();
    let mut response = match answered {
        Ok(response) => rendered(response, &path, &correlation_id),
        // The panic hook has logged where and why.
        Err(_) => Problem::internal(anyhow::anyhow!("a handler panicked")).render(&path, &correlation_id),
    };
    if let Ok(value) = HeaderValue::from_str(&correlation_id) {
        response.headers_mut().insert(correlation::HEADER, value);
    }
    response
}

/// Refusals, ours and those of the framework, all look the same.
fn rendered(mut response: Response<Body>, path: &str, correlation_id: &str) -> Response<Body> {
    let problem = response
        .extensions_mut()
        .remove::<Carried>()
        .or_else(|| framework_refusal(&response).map(|problem| Carried(std::sync::Arc::new(problem))));
    let Some(Carried(problem)) = problem else { return response };
    let mut answer = problem.render(path, correlation_id);
    for name in response.headers().keys() {
        if name != header::CONTENT_LENGTH && name != header::CONTENT_TYPE {
            answer.headers_mut().remove(name);
            for value in response.headers().get_all(name) {
                answer.headers_mut().append(name, value.clone());
            }
        }
    }
    answer
}

fn framework_refusal(response: &Response<Body>) -> Option<Problem> {
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        kind.as_bytes().starts_with(b"application/") || kind.as_bytes().starts_with(b"text/html")
    });
    if ours {
        return None;
    }
    let problem = match response.status() {
        StatusCode::NOT_FOUND => Problem::not_found("resource"),
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "This resource does not take that method; `Allow` names those it takes.",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "The body is larger than this call takes.",
        ),
        status if status.is_client_error() => {
            Problem::new(status, "malformed_request", "The request does not fit.")
        }
        _ => return None,
    };
    Some(problem)
}
