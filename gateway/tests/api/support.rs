//! The real `kong.yml`, rendered by the real script with a key of the tests, in front of small services that say what
//! they were asked. Time stands still unless a test moves it.

use std::{net::SocketAddr, path::Path, sync::Arc};

use axum::{Router, body::Body, extract::Request, response::IntoResponse};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use common_utils::clock::ManualClock;
use ed25519_dalek::{
    Signer, SigningKey,
    pkcs8::{EncodePublicKey, spki::der::pem::LineEnding},
};
use gateway::{Builder, Config, Gateway, Upstream, render};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};

pub(crate) const UPSTREAMS: [&str; 4] =
    ["identity-service", "wallet-service", "transaction-service", "admin-service"];

/// The name of the key.
pub(crate) const KID: &str = "key-of-the-tests";

/// Half a minute into a minute.
pub(crate) fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:30Z".parse().unwrap()
}

pub(crate) fn signing_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// What identity-service publishes of a key.
pub(crate) fn published(kid: &str, key: &SigningKey) -> String {
    format!("kid: {kid}\n{}", key.verifying_key().to_public_key_pem(LineEnding::LF).unwrap())
}

/// `kong.yml`, rendered.
pub(crate) fn rendered() -> String {
    rendered_with(&published(KID, &signing_key()))
}

pub(crate) fn rendered_with(keys: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), keys).unwrap();
    render::render(Path::new(env!("CARGO_MANIFEST_DIR")), file.path()).unwrap()
}

pub(crate) fn config() -> Config {
    Config::parse(&rendered()).unwrap()
}

/// A service that answers with what it was asked.
pub(crate) fn echo(name: &'static str) -> Router {
    Router::new().fallback(async move |request: Request| {
        let (parts, body) = request.into_parts();
        let headers: serde_json::Map<_, _> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap_or_default())))
            .collect();
        let bytes = body.collect().await.map(|read| read.to_bytes().len()).ok();
        let uri = parts.uri.to_string();
        axum::Json(json!({
            "service": name, "method": parts.method.as_str(), "uri": uri, "headers": headers, "bytes": bytes,
        }))
        .into_response()
    })
}

pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) clock: Arc<ManualClock>,
}

pub(crate) fn world() -> World {
    world_of(config())
}

pub(crate) fn world_of(config: Config) -> World {
    world_with(config, |builder| {
        UPSTREAMS.iter().fold(builder, |builder, name| builder.upstream(name, Upstream::Router(echo(name))))
    })
}

pub(crate) fn world_with(config: Config, upstreams: impl FnOnce(Builder) -> Builder) -> World {
    let clock = ManualClock::new(start());
    let gateway = upstreams(Gateway::builder(config)).clock(clock.clone()).build().unwrap();
    World { gateway, clock }
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) async fn read(response: Response<Body>) -> Answer {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

pub(crate) fn client(last: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, last], 4000))
}

impl World {
    pub(crate) async fn send(&self, request: http::request::Builder) -> Answer {
        self.send_from(client(1), request).await
    }

    pub(crate) async fn send_from(&self, from: SocketAddr, request: http::request::Builder) -> Answer {
        self.send_body(from, request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn send_body(&self, from: SocketAddr, request: Request) -> Answer {
        read(self.gateway.handle(from, request).await).await
    }

    /// A GET by `token`.
    pub(crate) async fn get_with(&self, path: &str, token: &str) -> Answer {
        self.send(get(path).header("authorization", format!("Bearer {token}"))).await
    }
}

pub(crate) fn get(path: &str) -> http::request::Builder {
    Request::get(path).header("host", "wallet.example:8000")
}

pub(crate) fn post(path: &str) -> http::request::Builder {
    Request::post(path).header("host", "wallet.example:8000")
}

/// Claims as identity makes them, good for a quarter of an hour.
pub(crate) fn claims(subject: &str) -> Value {
    let now = start().timestamp();
    json!({"iss": "wallet-platform", "aud": "wallet-api", "sub": subject, "nbf": now, "exp": now + 900})
}

/// A good token.
pub(crate) fn token(subject: &str) -> String {
    signed(&json!({"alg": "EdDSA", "typ": "JWT", "kid": KID}), &claims(subject))
}

/// Any header and claims, signed with the right key.
pub(crate) fn signed(header: &Value, claims: &Value) -> String {
    signed_by(&signing_key(), header, claims)
}

pub(crate) fn signed_by(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let message = unsigned(header, claims);
    let signature = key.sign(message.as_bytes()).to_bytes();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
