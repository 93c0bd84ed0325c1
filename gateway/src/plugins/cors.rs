//! Answers preflights, and tells browsers on every other answer who may read it.

use std::ops::ControlFlow;

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use super::Step;
use crate::{call::Call, config::CorsConfig};

/// A preflight ends here: 200 and empty, also for a foreign origin, which just gets no `Allow-Origin`.
pub(crate) fn access(config: &CorsConfig, call: &Call, asked: &HeaderMap) -> Step {
    if !call.preflight {
        return ControlFlow::Continue(());
    }
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    origin(config, call, headers);
    headers.insert(header::VARY, const { HeaderValue::from_static("Origin") });
    if config.headers.is_empty() {
        if let Some(wanted) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    } else {
        insert(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, &config.headers.join(","));
    }
    insert(headers, header::ACCESS_CONTROL_ALLOW_METHODS, &config.methods.join(","));
    if let Some(seconds) = config.max_age {
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, seconds.into());
    }
    ControlFlow::Break(response)
}

pub(crate) fn header_filter(config: &CorsConfig, call: &Call, headers: &mut HeaderMap) {
    if call.preflight {
        return;
    }
    origin(config, call, headers);
    headers.append(header::VARY, const { HeaderValue::from_static("Origin") });
    if !config.exposed_headers.is_empty() {
        insert(headers, header::ACCESS_CONTROL_EXPOSE_HEADERS, &config.exposed_headers.join(","));
    }
}

/// `Allow-Origin` for one of the list; it never survives for another.
fn origin(config: &CorsConfig, call: &Call, headers: &mut HeaderMap) {
    let known = call.origin.as_ref().filter(|origin| {
        let normal = origin.to_str().map(normalize).unwrap_or_default();
        config.origins.iter().any(|known| normalize(known) == normal)
    });
    match known {
        Some(origin) => drop(headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone())),
        None => drop(headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN)),
    }
    if config.credentials {
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, const { HeaderValue::from_static("true") });
    }
}

/// The default ports may be written or not.
fn normalize(origin: &str) -> &str {
    match origin.split_once("://") {
        Some(("http", _)) => origin.strip_suffix(":80").unwrap_or(origin),
        Some(("https", _)) => origin.strip_suffix(":443").unwrap_or(origin),
        _ => origin,
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}
