//! What is done to every answer on its way out: headers of the plugins, Kong's own, and the numbers, which are
//! complete only when the last byte has gone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

use crate::{
    answers::SERVER,
    call::Call,
    config::PrometheusConfig,
    gateway::RouteEntry,
    metrics::{Observation, RouteMetrics},
    plugins::Chain,
    proxy::{Counted, Event, Outcome, REQUEST_ID, Sent, clean_response},
};

const UPSTREAM_LATENCY: HeaderName = HeaderName::from_static("x-kong-upstream-latency");
const PROXY_LATENCY: HeaderName = HeaderName::from_static("x-kong-proxy-latency");
const RESPONSE_LATENCY: HeaderName = HeaderName::from_static("x-kong-response-latency");

/// An answer of the gateway itself.
pub(crate) fn own(call: &Call, chain: &Chain, mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    chain.header_filter(call, headers);
    headers.insert(header::SERVER, const { HeaderValue::from_static(SERVER) });
    headers.insert(RESPONSE_LATENCY, millis(call.started.elapsed()));
    request_id(call, headers);
    response
}

/// An answer that came, or did not come, from a service.
pub(crate) fn proxied(call: &Call, chain: &Chain, outcome: Outcome) -> Response<Body> {
    let mut response = outcome.response;
    let headers = response.headers_mut();
    clean_response(headers);
    chain.header_filter(call, headers);
    headers.entry(header::SERVER).or_insert(const { HeaderValue::from_static(SERVER) });
    headers.insert(UPSTREAM_LATENCY, millis(outcome.waited));
    headers.insert(PROXY_LATENCY, millis(call.plugins_done));
    request_id(call, headers);
    response
}

fn request_id(call: &Call, headers: &mut HeaderMap) {
    if let Ok(id) = HeaderValue::from_str(&call.reader.request_id) {
        headers.insert(REQUEST_ID, id);
    }
}

fn millis(time: Duration) -> HeaderValue {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

/// What is known of a call before its answer has gone.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) started: Instant,
    pub(crate) ingress: u64,
    pub(crate) sent: Arc<Sent>,
    pub(crate) upstream: Option<Duration>,
    pub(crate) served: bool,
}

/// Reports the call when its body ends, however it ends.
#[derive(Debug)]
struct Report {
    route: Arc<RouteMetrics>,
    config: PrometheusConfig,
    status: u16,
    egress: AtomicU64,
    numbers: Numbers,
}

impl Drop for Report {
    fn drop(&mut self) {
        let Numbers { started, ingress, sent, upstream, served } = &self.numbers;
        self.route.observe(
            self.config,
            &Observation {
                status: self.status,
                served: *served,
                ingress: ingress.saturating_add(sent.get()),
                egress: self.egress.load(Ordering::Relaxed),
                total: started.elapsed(),
                upstream: *upstream,
            },
        );
    }
}

/// Counts the answer, and lets a service be silent within it no longer than `pause`.
pub(crate) fn measured(
    response: Response<Body>,
    route: &RouteEntry,
    config: PrometheusConfig,
    pause: Duration,
    numbers: Numbers,
) -> Response<Body> {
    let report = Report {
        route: Arc::clone(&route.metrics),
        config,
        status: response.status().as_u16(),
        egress: AtomicU64::new(headers_size(response.headers())),
        numbers,
    };
    if response.body().is_end_stream() {
        return response;
    }
    let tell = move |event| {
        if let Event::Bytes(bytes) = event {
            report.egress.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    };
    response.map(|body| Body::new(Counted::new(body, pause, tell)))
}

/// About how many bytes came before the body.
pub(crate) fn head_size(request: &Request) -> u64 {
    let line = request.method().as_str().len() + request.uri().path().len() + "  HTTP/1.1\r\n\r\n".len();
    headers_size(request.headers()).saturating_add(line as u64)
}

fn headers_size(headers: &HeaderMap) -> u64 {
    headers.iter().map(|(name, value)| (name.as_str().len() + value.len() + ": \r\n".len()) as u64).sum()
}
