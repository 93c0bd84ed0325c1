//! What a call carries to the service beside the client's own headers, and what neither side hears of the other:
//! the headers that belong to one connection.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    answers::VIA,
    balancer::{Peer, Transport},
    call::Call,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const FORWARDED_PATH: HeaderName = HeaderName::from_static("x-forwarded-path");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-kong-request-id");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// How the client addressed us.
#[derive(Debug)]
pub(crate) struct Forwarding<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// The path as it came.
    pub(crate) path: &'a str,
    /// What was stripped from it.
    pub(crate) prefix: Option<&'a str>,
    /// The client's `Host` goes to the service.
    pub(crate) preserve_host: bool,
}

pub(super) fn forward(headers: &mut HeaderMap, call: &Call, forwarding: &Forwarding<'_>) {
    hop_by_hop(headers);
    for name in [header::EXPECT, PROXY, FORWARDED_PREFIX] {
        headers.remove(name);
    }
    if !forwarding.preserve_host {
        headers.remove(header::HOST);
    }
    let client = call.client.ip().to_canonical().to_string();
    // Only this one says what the client said; nobody may take it for more than that.
    set(headers, FORWARDED_FOR, &appended(headers, &FORWARDED_FOR, &client));
    set(headers, header::VIA, &appended(headers, &header::VIA, VIA));
    set(headers, FORWARDED_PROTO, "http");
    set(headers, FORWARDED_HOST, forwarding.host);
    set(headers, FORWARDED_PORT, &forwarding.port.to_string());
    set(headers, FORWARDED_PATH, forwarding.path);
    if let Some(prefix) = forwarding.prefix.filter(|prefix| *prefix != "/") {
        set(headers, FORWARDED_PREFIX, prefix);
    }
    set(headers, REAL_IP, &client);
    set(headers, REQUEST_ID, &call.reader.request_id);
}

/// The target's own name, unless the client's was to be kept.
pub(super) fn set_host(headers: &mut HeaderMap, peer: &Peer) {
    if headers.contains_key(header::HOST) {
        return;
    }
    match &peer.transport {
        Transport::Router(_) => set(headers, header::HOST, &peer.name),
        Transport::Http(authority) => set(headers, header::HOST, authority.as_str()),
    }
}

/// What the client does not hear of the connection behind us.
pub(crate) fn clean_response(headers: &mut HeaderMap) {
    hop_by_hop(headers);
    set(headers, header::VIA, &appended(headers, &header::VIA, VIA));
}

fn hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|names| names.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    let own = [header::CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, header::TE, header::TRAILER];
    for name in own.into_iter().chain([header::TRANSFER_ENCODING, header::UPGRADE]) {
        headers.remove(name);
    }
}

fn appended(headers: &HeaderMap, name: &HeaderName, own: &str) -> String {
    let said = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    said.chain([own]).collect::<Vec<_>>().join(", ")
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    } else {
        // A value that cannot be said must not be the client's.
        headers.remove(name);
    }
}
