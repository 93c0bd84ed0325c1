//! What every service answers at its edge, through a whole router: refusals, panics, and the numbers about them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on must fail"
)]

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    http::{Request, Response, header, request::Parts},
    routing::get,
};
use common_utils::{
    http::{
        Access, ApiJson, ApiPath, ApiQuery, Caller, Routes, measured, paging::PageQuery, routes,
        server::service_router, with_context,
    },
    money::Money,
    telemetry::metrics,
};
use http_body_util::BodyExt;
use serde::Deserialize;
use serde_json::Value;
use tower::ServiceExt;
use utoipa::OpenApi;
use validator::Validate;

#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Payment {
    amount: Money,
    narration: Option<String>,
}

/// Lets everybody through.
struct Open;

impl Caller for Open {
    const ACCESS: Access = Access::Anybody("Test");
}

impl FromRequestParts<()> for Open {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, (): &()) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

#[utoipa::path(post, path = "/payments")]
async fn pay(_: Open, ApiJson(payment): ApiJson<Payment>) -> String {
    format!("{} {:?}", payment.amount, payment.narration)
}

#[utoipa::path(get, path = "/payments")]
async fn list(_: Open, ApiQuery(query): ApiQuery<PageQuery>) -> String {
    format!("{query:?}")
}

#[utoipa::path(get, path = "/payments/{name}")]
async fn one(_: Open, ApiPath(name): ApiPath<String>) -> String {
    name
}

#[utoipa::path(get, path = "/faulty")]
async fn faulty(_: Open) -> String {
    panic!("a defect")
}

#[derive(OpenApi)]
struct Api;

fn api() -> Routes {
    Routes::new().routes(routes!(pay, list)).merge(Routes::new().routes(routes!(one)).routes(routes!(faulty)))
}

fn router() -> Router {
    service_router("edge", api(), Api::openapi(), Vec::new())
}

#[test]
fn each_route_is_listed_with_who_may_call_it() {
    let listed: Vec<String> = api()
        .table()
        .iter()
        .map(|route| format!("{} {} {}", route.method, route.path, route.access))
        .collect();
    let expected = [
        "POST /payments anybody:Test",
        "GET /payments anybody:Test",
        "GET /payments/{name} anybody:Test",
        "GET /faulty anybody:Test",
    ];
    assert_eq!(listed, expected);
}

async fn call(request: Request<Body>) -> (Response<()>, String) {
    let (parts, body) = router().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, ()), String::from_utf8(body.to_vec()).unwrap())
}

async fn refused(request: Request<Body>) -> (u16, String, Vec<String>) {
    let (response, body) = call(request).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{body}");
    let problem: Value = serde_json::from_str(&body).unwrap();
    let fields = problem["errors"].as_array().unwrap().iter();
    let fields = fields.map(|error| error["field"].as_str().unwrap().to_owned()).collect();
    (response.status().as_u16(), problem["code"].as_str().unwrap().to_owned(), fields)
}

fn payment(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/payments").header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    request.body(body.into()).unwrap()
}

fn get_of(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn what_does_not_parse_is_malformed_whatever_stands_before() {
    for body in [
        r#"{"unknown":1"#,
        r#"{"amount":"x", oops}"#,
        r#"{"amount":{"amount":"x","currency":"NGN"}} trailing"#,
        "{\"amount\":1,\"narration\":\"\u{0}\"}",
    ] {
        let (status, code, _) = refused(payment(body)).await;
        assert_eq!((status, code.as_str()), (400, "malformed_request"), "{body}");
    }
    let no_utf8 = b"{\"amount\":1,\"narration\":\"\xff\"}".to_vec();
    assert_eq!(refused(payment(no_utf8)).await.0, 400);
}

#[tokio::test]
async fn what_parses_and_does_not_fit_names_its_field() {
    for (body, field) in [
        (r#"[{"amount":1,"currency":"NGN"},null]"#, "body"),
        (r#"{"amount":[1,"NGN"]}"#, "amount"),
        (r#"{"amount":{"amount":1e999,"currency":"NGN"}}"#, "amount.amount"),
        (r#"{"amount":{"amount":99999999999999999999,"currency":"NGN"}}"#, "amount.amount"),
        (r#"{"amount":{"amount":1,"amount":2,"currency":"NGN"}}"#, "amount.amount"),
        ("{\"amount\":{\"amount\":1,\"currency\":\"NGN\"},\"narration\":\"a\\u0000b\"}", "narration"),
        ("null", "body"),
        ("7", "body"),
    ] {
        let refusal = refused(payment(body)).await;
        assert_eq!(refusal, (422, "validation_failed".to_owned(), vec![field.to_owned()]), "{body}");
    }
    let (_, body) = call(payment("[]")).await;
    assert!(!body.contains("Payment"), "names of ours stay inside: {body}");
}

#[tokio::test]
async fn what_fits_gets_through() {
    for body in [
        r#"{"amount":{"amount":1,"currency":"NGN"}}"#,
        "{\"narration\":\"a\\\\u0000b\",\"amount\":{\"currency\":\"NGN\",\"amount\":1}}",
    ] {
        assert_eq!(call(payment(body)).await.0.status(), 200, "{body}");
    }
}

#[tokio::test]
async fn a_zero_byte_reaches_no_database() {
    assert_eq!(
        refused(get_of("/payments?cursor=a%00b")).await,
        (422, "validation_failed".to_owned(), vec!["cursor".to_owned()])
    );
    assert_eq!(refused(get_of("/payments/a%00b")).await.0, 404);
    assert_eq!(refused(get_of("/payments/%ff")).await.0, 404);
}

#[tokio::test]
async fn a_query_that_does_not_fit_names_its_field() {
    for (query, field) in
        [("limit=0", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"), ("x=1", "x")]
    {
        let refusal = refused(get_of(&format!("/payments?{query}"))).await;
        assert_eq!(refusal, (422, "validation_failed".to_owned(), vec![field.to_owned()]), "{query}");
    }
}

#[tokio::test]
async fn the_framework_s_refusals_look_like_ours() {
    let wrong_method = Request::delete("/payments").body(Body::empty()).unwrap();
    let (response, body) = call(wrong_method).await;
    assert_eq!(response.status(), 405);
    assert_eq!(response.headers()[header::ALLOW], "POST,GET,HEAD");
    assert!(body.contains("method_not_allowed"));
    assert_eq!(refused(get_of("/nowhere")).await.0, 404);
    let (head, _) = call(Request::head("/nowhere").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status(), 404);
    let large = "x".repeat(1024 * 1024 + 1);
    assert_eq!(refused(payment(large)).await.1, "payload_too_large");
    let plain = Request::post("/payments").body(Body::from("{}")).unwrap();
    assert_eq!(refused(plain).await.0, 415);
}

#[tokio::test]
async fn a_panic_is_a_500_that_is_counted() {
    metrics::install().unwrap();
    assert_eq!(refused(get_of("/faulty")).await.0, 500);
    let page = metrics::render("edge");
    let counted = page.lines().any(|line| {
        line.starts_with("wallet_http_requests_total")
            && line.contains("/faulty")
            && line.contains("status=\"500\"")
    });
    assert!(counted, "{page}");
}

#[tokio::test]
async fn a_made_up_method_makes_no_label() {
    metrics::install().unwrap();
    for method in ["BREW1", "BREW2"] {
        call(Request::builder().method(method).uri("/payments").body(Body::empty()).unwrap()).await;
    }
    assert!(!metrics::render("edge").contains("BREW"));
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_is_counted_as_it_is_answered() {
    metrics::install().unwrap();
    let slow = Router::new().route("/slow", get(std::future::pending::<String>));
    let request = Request::get("/slow").body(Body::empty()).unwrap();
    let response = with_context(measured(slow, "late")).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key(header::RETRY_AFTER));
    let page = metrics::render("late");
    assert!(page.contains("status=\"503\"") && !page.contains("status=\"504\""), "{page}");
}
