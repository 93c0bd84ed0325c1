//! One call on its way through the gateway: what the plugins and the proxy tell each other about it.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, header};
use rand::Rng;

use crate::answers::Reader;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) started: Instant,
    /// How long the plugins took, where the call went on to a service.
    pub(crate) plugins_done: Duration,
    pub(crate) client: SocketAddr,
    pub(crate) reader: Reader,
    pub(crate) origin: Option<HeaderValue>,
    /// The correlation id, once the plugin has set it.
    pub(crate) correlation_id: Option<HeaderValue>,
    /// Rate limit headers for the client, once the plugin has counted.
    pub(crate) limits: HeaderMap,
    /// The cors plugin answers preflights itself and then adds nothing.
    pub(crate) preflight: bool,
}

impl Call {
    pub(crate) fn new(client: SocketAddr, method: &Method, headers: &HeaderMap) -> Self {
        let origin = headers.get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned();
        let asks = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Self {
            started: Instant::now(),
            plugins_done: Duration::ZERO,
            client,
            reader: Reader::new(headers, request_id()),
            preflight: *method == Method::OPTIONS && origin.is_some() && asks,
            origin,
            correlation_id: None,
            limits: HeaderMap::new(),
        }
    }
}

/// 32 hexadecimal digits, as nginx makes them.
fn request_id() -> String {
    hex::encode(random())
}

/// A random UUID, as Kong's `uuid` generator makes them.
pub(crate) fn random_uuid() -> String {
    uuid::Builder::from_random_bytes(random()).into_uuid().to_string()
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}
