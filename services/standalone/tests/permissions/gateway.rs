//! Every route behind the gateway: what is open passes without a token, `/internal` is not there, and all else needs a token. So a
//! route that is public in the code and forgotten in `kong.yml` fails here, and so does one that `kong.yml` opens by mistake.
//!
//! Behind the gateway stands what answers every call alike: it is the gateway that is tried, and the matrix tries the rest.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
};
use common_auth::{Claims, signing::TokenSigner, testing};
use common_utils::{
    clock::{Clock, ManualClock},
    http::Access,
    ids::{self, UserId},
};
use gateway::{Gateway, Upstream, render};

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
        let mut request = Request::builder()
            .method(Method::from_bytes(route.method.as_bytes()).unwrap())
            .uri(path(route))
            .header("host", "wallet.example:8000");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let client = SocketAddr::from(([198, 51, 100, 1], 4000));
        self.gateway.handle(client, request.body(Body::empty()).unwrap()).await.status()
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
