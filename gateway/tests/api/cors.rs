//! Preflights, and what browsers are told on every other answer.

use http::{Request, StatusCode};

use crate::support::{World, get, post, token, world};

const PATH: &str = "/api/v1/wallet/wallets";
const OURS: &str = "http://localhost:5173";

fn preflight(path: &str, origin: &str) -> http::request::Builder {
    Request::options(path)
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "x-anything")
}

#[tokio::test]
async fn a_preflight_is_answered_before_any_token_is_asked_for() {
    let answer = world().send(preflight(PATH, OURS)).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""));
    for (name, value) in [
        ("access-control-allow-origin", OURS),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-headers", "Authorization,Content-Type,Idempotency-Key,X-Correlation-Id"),
        ("access-control-allow-methods", "GET,POST,PUT,PATCH,DELETE"),
        ("access-control-max-age", "600"),
        ("vary", "Origin"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert_eq!(answer.headers.get_all("vary").iter().count(), 1);
}

#[tokio::test]
async fn a_foreign_origin_gets_the_same_without_allow_origin() {
    let world = world();
    for foreign in
        ["https://evil.example", "http://localhost:5174", "http://localhost:5173.evil.example", "null"]
    {
        let answer = world.send(preflight(PATH, foreign)).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, ""), "{foreign}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{foreign}");
        assert_eq!(answer.header("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn only_a_real_preflight_is_answered() {
    let world = world();
    let without_method = Request::options(PATH).header("origin", OURS);
    let without_origin = Request::options(PATH).header("access-control-request-method", "POST");
    for request in [without_method, without_origin] {
        assert_eq!(world.send(request).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(world.send(preflight("/nowhere", OURS)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_answer_says_who_may_read_it() {
    let world = world();
    let with_origin = |world: &World, request: http::request::Builder| {
        let gateway = world.gateway.clone();
        let request = request.header("origin", OURS).body(axum::body::Body::empty()).unwrap();
        async move { crate::support::read(gateway.handle(crate::support::client(1), request).await).await }
    };
    let passed = get(PATH).header("authorization", format!("Bearer {}", token("ada")));
    for (request, status) in [(passed, StatusCode::OK), (get(PATH), StatusCode::UNAUTHORIZED)] {
        let answer = with_origin(&world, request).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(OURS));
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert!(answer.header("access-control-expose-headers").unwrap().contains("X-Correlation-Id"));
    }
    let foreign = world.send(post("/api/v1/identity/login").header("origin", "https://evil.example")).await;
    assert_eq!((foreign.status, foreign.header("access-control-allow-origin")), (StatusCode::OK, None));
}
