//! Every route behind the gateway: what is open passes without a token, `/internal` is not there, and all else needs a token. So a
//! route that is public in the code and forgotten in `kong.yml` fails here, and so does one that `kong.yml` opens by mistake. What takes
//! a proof in its body, as the contract describes that, has a rate at which nobody guesses.
//!
//! Behind the gateway stands what answers every call alike: it is the gateway that is tried, and the matrix tries the rest.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use common_auth::{Claims, signing::TokenSigner, testing};
use common_utils::{
    clock::{Clock, ManualClock},
    http::Access,
    ids::{self, UserId},
};
use gateway::{Gateway, Upstream, render};
use serde_json::Value;

use crate::matrix::{self, Route};

/// What a service answers that a call has come to; nobody else does.
const REACHED: StatusCode = StatusCode::IM_A_TEAPOT;

struct Door {
    gateway: Gateway,
    signer: TokenSigner,
    clock: Arc<ManualClock>,
}

impl Door {
    fn open() -> Self {
        let keys = tempfile::tempdir().unwrap();
        let signer = TokenSigner::load_or_create(keys.path()).unwrap();
        let published = keys.path().join("published");
        let key = signer.public_key();
        std::fs::write(&published, format!("kid: {}\n{}", key.kid(), key.pem().unwrap())).unwrap();
        let config = render::load(&render::directory(), &published).unwrap();
        let clock = ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap());
        let mut builder = Gateway::builder(config).clock(clock.clone());
        for name in [
            identity_service::SERVICE_NAME,
            wallet_service::SERVICE_NAME,
            transaction_service::SERVICE_NAME,
            admin_service::SERVICE_NAME,
        ] {
            builder = builder.upstream(name, Upstream::Router(Router::new().fallback(async || REACHED)));
        }
        Self { gateway: builder.build().unwrap(), signer, clock }
    }

    async fn call(&self, route: &Route, token: Option<&str>) -> StatusCode {
        self.answer(route, token).await.0
    }

    /// Calls a minute, where they are limited.
    async fn rate(&self, route: &Route) -> Option<u32> {
        let limit = self.answer(route, Some(&self.token())).await.1.remove("x-ratelimit-limit-minute")?;
        Some(limit.to_str().unwrap().parse().unwrap())
    }

    async fn answer(&self, route: &Route, token: Option<&str>) -> (StatusCode, HeaderMap) {
        let mut request = Request::builder()
            .method(Method::from_bytes(route.method.as_bytes()).unwrap())
            .uri(path(route))
            .header("host", "wallet.example:8000");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let client = SocketAddr::from(([198, 51, 100, 1], 4000));
        let answer = self.gateway.handle(client, request.body(Body::empty()).unwrap()).await;
        (answer.status(), answer.headers().clone())
    }

    /// Of a person of their own, so that nobody's rate is used up.
    fn token(&self) -> String {
        let now = self.clock.now();
        let claims = Claims { nbf: Some(now.timestamp()), ..testing::claims(UserId::new(), now) };
        self.signer.sign(&claims).unwrap()
    }
}

fn path(route: &Route) -> String {
    let part = |part: &str| if part.starts_with('{') { ids::new_id().to_string() } else { part.to_owned() };
    route.path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn every_route_is_as_open_at_the_gateway_as_it_is_in_the_code() {
    let door = Door::open();
    let mut wrong = Vec::new();
    for route in matrix::routes() {
        let answers = (door.call(&route, None).await, door.call(&route, Some(&door.token())).await);
        let expected = if !route.path.starts_with("/api/v1/") {
            (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND)
        } else if matches!(route.access, Access::Anybody(_)) {
            (REACHED, REACHED)
        } else {
            (StatusCode::UNAUTHORIZED, REACHED)
        };
        if answers != expected {
            wrong.push(format!("{}: {answers:?} in the place of {expected:?}", route.name()));
        }
    }
    assert!(wrong.is_empty(), "without a token, and with one:\n{}", wrong.join("\n"));
}

/// Their paths are also read, and often, and routes have no methods. identity-service bounds what is tried here: ten passwords in a quarter of an hour; five
/// cases a day.
const BOUNDED_BY_THE_SERVICE: [&str; 2] = ["POST /api/v1/identity/kyc/cases", "DELETE /api/v1/identity/me"];

/// Calls a minute that the field of a body allows; None for one that proves nothing.
fn most(name: &str, field: &Value, open: bool) -> Option<u32> {
    match name {
        // 256 random bits, and several machines may share an address.
        "client_secret" => Some(30),
        // Nobody guesses these. Without a token an address is counted, and many people may share it.
        "signature" | "credential" => Some(if open { 20 } else { 10 }),
        "code" | "pin" | "currentPin" | "bvn" | "nin" => Some(10),
        _ => (field["format"] == "password").then_some(10),
    }
}

#[tokio::test]
async fn what_takes_a_proof_has_a_rate_at_which_nobody_guesses() {
    let door = Door::open();
    let contract: Value = serde_json::from_str(&standalone::contract::text().unwrap()).unwrap();
    let (mut wrong, mut bounded, mut tight) = (Vec::new(), Vec::new(), 0);
    for route in matrix::routes() {
        let open = matches!(route.access, Access::Anybody(_));
        let fields = fields_of_body(&contract, &route);
        let Some(most) = fields.iter().filter_map(|(name, field)| most(name, field, open)).min() else {
            continue;
        };
        let rate = door.rate(&route).await;
        if rate.is_some_and(|rate| rate <= most) {
            tight += 1;
        } else if BOUNDED_BY_THE_SERVICE.contains(&route.name().as_str()) {
            bounded.push(route.name());
        } else {
            wrong.push(format!("{}: {rate:?} a minute in the place of {most}", route.name()));
        }
    }
    assert!(wrong.is_empty(), "wider than what their bodies take allows:\n{}", wrong.join("\n"));
    assert_eq!(bounded, BOUNDED_BY_THE_SERVICE, "an exception that is none any more");
    assert!(tight >= 25, "only {tight} bodies with proofs were found");
}

/// By the contract, the fields of what the route takes, each with its schema.
fn fields_of_body(contract: &Value, route: &Route) -> Vec<(String, Value)> {
    let body = &contract["paths"][&route.path][route.method.to_lowercase()]["requestBody"]["content"];
    let schemas = body.as_object().into_iter().flat_map(|content| content.values());
    let fields = schemas.flat_map(|content| {
        let schema = &content["schema"];
        let name = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/components/schemas/"));
        let schema = name.map_or(schema, |name| &contract["components"]["schemas"][name]);
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        properties.into_iter()
    });
    fields.collect()
}
