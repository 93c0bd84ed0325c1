//! Answers that the gateway gives itself, in Kong's words.
//!
//! Two kinds: what a plugin says as a JSON object (`json`), and errors (`error`), whose shape follows the client's
//! `Accept` and which name the request. An error that Kong leaves to nginx (`unreached`) looks further, at the
//! client's `Content-Type`, and ends in plain text.

use axum::body::Body;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

/// How Kong names itself; the comment says which of the two it is.
pub(crate) const SERVER: &str = "kong/3.9.3 (embedded)";
pub(crate) const VIA: &str = "1.1 kong/3.9.3 (embedded)";

pub(crate) const NO_ROUTE: &str = "no Route matched with those values";
pub(crate) const NO_PEER: &str = "failure to get a peer from the ring-balancer";
pub(crate) const TOO_LARGE: &str = "Request size limit exceeded";
pub(crate) const TOO_MANY: &str = "API rate limit exceeded";

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";
const XML: &str = "application/xml; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";

/// The client's side of an answer: what it accepts, and the id of its request.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    accept: Option<String>,
    content_type: Option<String>,
    pub(crate) request_id: String,
}

impl Reader {
    pub(crate) fn new(headers: &HeaderMap, request_id: String) -> Self {
        let joined = |name| {
            let values: Vec<_> =
                headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        Self { accept: joined(header::ACCEPT), content_type: joined(header::CONTENT_TYPE), request_id }
    }

    /// An error of a plugin or of the router.
    pub(crate) fn error(&self, status: StatusCode, message: &str) -> Response<Body> {
        let kind = self.accept.as_deref().map_or(JSON, negotiate);
        self.shaped(status, kind, message)
    }

    /// An error of the connection to the service, or a request that is no HTTP.
    pub(crate) fn unreached(&self, status: StatusCode) -> Response<Body> {
        let message = match status {
            StatusCode::BAD_REQUEST => "Bad request",
            StatusCode::BAD_GATEWAY => "An invalid response was received from the upstream server",
            StatusCode::SERVICE_UNAVAILABLE => "The upstream server is currently unavailable",
            StatusCode::GATEWAY_TIMEOUT => "The upstream server is timing out",
            _ => "An unexpected error occurred",
        };
        let kind = self.accept.as_deref().or(self.content_type.as_deref()).map_or(PLAIN, negotiate);
        self.shaped(status, kind, message)
    }

    fn shaped(&self, status: StatusCode, kind: &'static str, message: &str) -> Response<Body> {
        let id = &self.request_id;
        let text = match kind {
            HTML => format!(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n  \
                 <body>\n    <h1>Error</h1>\n    <p>{message}.</p>\n    <p>request_id: {id}</p>\n  </body>\n</html>\n"
            ),
            XML => format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>{message}</message>\n  \
                 <requestid>{id}</requestid>\n</error>\n"
            ),
            PLAIN => format!("{message}\nrequest_id: {id}\n"),
            _ => format!("{{\n  \"message\":\"{message}\",\n  \"request_id\":\"{id}\"\n}}"),
        };
        with_body(status, kind, text)
    }
}

/// What a plugin says as an object.
pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    with_body(status, JSON, body.to_string())
}

fn with_body(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// The best of the four shapes for an `Accept`: the first of the highest quality; JSON for what is unknown.
fn negotiate(accept: &str) -> &'static str {
    let mut best = (0, JSON);
    for offer in accept.split(',') {
        let mut parts = offer.split(';').map(str::trim);
        let Some(media) = parts.next().filter(|media| media.contains('/')) else { continue };
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(1000, thousandths);
        if quality > best.0 {
            best = (quality, shape(&media.to_ascii_lowercase()));
        }
    }
    best.1
}

fn shape(media: &str) -> &'static str {
    match media {
        "text/html" => HTML,
        "application/xml" => XML,
        "text/plain" | "text/*" => PLAIN,
        _ => JSON,
    }
}

/// `0.8` as 800; what is no quality counts as 1.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.get(..3).and_then(|three| three.parse::<u32>().ok())) {
        ("0", Some(fraction)) => fraction,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_follows_accept() {
        for (accept, kind) in [
            ("*/*", JSON),
            ("application/json", JSON),
            ("application/problem+json", JSON),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", HTML),
            ("application/xml;q=0.4, text/plain;q=0.5", PLAIN),
            ("text/*", PLAIN),
            ("application/xml", XML),
            ("nonsense", JSON),
        ] {
            assert_eq!(negotiate(accept), kind, "{accept}");
        }
    }
}
