//! Input that does not fit: a 4xx that names what is wrong, never a 5xx.

use axum::http::Method;
use common_auth::Role;
use common_utils::ids;
use serde_json::{Value, json};

use crate::world::World;

const ADMIN: &str = "/api/v1/admin";

#[tokio::test]
async fn each_field_that_does_not_fit_is_named() {
    let world = World::new().await;
    let staff = world.person(Role::Admin);
    let ticket = world.ticket(&staff, &staff).await;
    let whole = json!({ "subject": "s", "description": "d", "requesterId": staff.id });
    let with = |field: &str, value: Value| {
        let mut body = whole.clone();
        body[field] = value;
        body
    };
    let text =
        |path: &str, field: &str, value: Value| (path.to_owned(), json!({ field: value }), field.to_owned());
    let (comments, assign, resolve) = (
        format!("/tickets/{ticket}/comments"),
        format!("/tickets/{ticket}/assign"),
        format!("/tickets/{ticket}/resolve"),
    );
    let freeze = format!("/wallets/{ticket}/freeze");
    let mut cases: Vec<(String, Value, String)> = Vec::new();
    for (field, value) in [
        ("subject", json!("")),
        ("subject", json!(" ")),
        ("subject", json!("x".repeat(201))),
        ("subject", json!("nul \0")),
        ("subject", json!("two\nlines")),
        ("subject", json!(1)),
        ("subject", Value::Null),
        ("description", json!("x".repeat(5001))),
        ("description", json!("nul \0")),
        ("requesterId", json!("me")),
        ("priority", json!("sky-high")),
        ("relatedTo", json!("transaction")),
        ("status", json!("closed")),
    ] {
        cases.push(("/tickets".to_owned(), with(field, value), field.to_owned()));
    }
    let related = json!({ "type": "planet", "id": staff.id });
    cases.push(("/tickets".to_owned(), with("relatedTo", related), "relatedTo.type".to_owned()));
    let related = json!({ "type": "user", "id": staff.id, "x": 1 });
    cases.push(("/tickets".to_owned(), with("relatedTo", related), "relatedTo.x".to_owned()));
    for path in [&comments, &resolve, &freeze] {
        let field = if *path == comments {
            "body"
        } else if *path == resolve {
            "resolution"
        } else {
            "reason"
        };
        for value in [json!(""), json!("nul \0"), json!("x".repeat(5001)), json!(["x"])] {
            cases.push(text(path, field, value));
        }
    }
    cases.push(text(&assign, "assigneeId", json!(7)));
    cases.push((comments.clone(), json!({ "body": "b", "internal": "yes" }), "internal".to_owned()));
    for (path, body, field) in cases {
        let answer = world.post(&staff, &format!("{ADMIN}{path}"), body.clone()).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field.as_str()]), "{path} {body}");
    }
}

#[tokio::test]
async fn several_errors_are_told_at_once() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let body = json!({ "subject": "", "description": "", "requesterId": staff.id });
    let answer = world.post(&staff, &format!("{ADMIN}/tickets"), body).await;
    assert_eq!(answer.refusal(), (422, "validation_failed", vec!["description", "subject"]));
}

#[tokio::test]
async fn each_query_that_does_not_fit_is_named() {
    let world = World::new().await;
    let admin = world.person(Role::Admin);
    let long = "x".repeat(101);
    for (path, field) in [
        ("/tickets?status=lost", "status"),
        ("/tickets?assigneeId=me", "assigneeId"),
        ("/tickets?requesterId=", "requesterId"),
        ("/tickets?limit=0", "limit"),
        ("/tickets?limit=101", "limit"),
        ("/tickets?limit=ten", "limit"),
        ("/tickets?limit=99999999999999999999", "limit"),
        ("/tickets?cursor=%00", "cursor"),
        ("/tickets?cursor=AAAA", "cursor"),
        ("/tickets?sort=asc", "sort"),
        ("/tickets/mine?cursor=x", "cursor"),
        (&format!("/users/{}/transactions?cursor=x", admin.id), "cursor"),
        (&format!("/users/{}/transactions?limit=101", admin.id), "limit"),
        (&format!("/users/{}/transactions?status=failed", admin.id), "status"),
        ("/tickets/mine?status=open", "status"),
        ("/audit-logs?subject=transaction", "subject"),
        ("/audit-logs?subject=:x", "subject"),
        ("/audit-logs?subject=wallet:%00", "subject"),
        ("/audit-logs?actor=user:", "actor"),
        (&format!("/audit-logs?actor=user:{long}"), "actor"),
        ("/audit-logs?action=", "action"),
        ("/audit-logs?action=%00", "action"),
        ("/audit-logs?from=yesterday", "from"),
        ("/audit-logs?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "to"),
        ("/audit-logs?cursor=IjEi", "cursor"),
        ("/audit-logs?limit=-1", "limit"),
    ] {
        let answer = world.get(&admin, &format!("{ADMIN}{path}")).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field]), "{path}");
    }
    let both = world.get(&admin, &format!("{ADMIN}/audit-logs?subject=x&actor=y")).await;
    assert_eq!(both.refusal().2, ["subject", "actor"]);
    // Times that no entry can have are odd, not wrong.
    for query in ["from=0001-01-01T00:00:00Z", "to=9999-12-31T23:59:59Z", "from=%2B262142-01-01T00:00:00Z"] {
        let answer = world.get(&admin, &format!("{ADMIN}/audit-logs?{query}")).await;
        assert!(matches!(answer.status.as_u16(), 200 | 422), "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_one_names_nothing() {
    let world = World::new().await;
    let admin = world.person(Role::Admin);
    for id in ["1", "%00", "me", &"x".repeat(3000), &format!("{}x", ids::new_id())] {
        for path in [
            format!("/tickets/{id}"),
            format!("/tickets/mine/{id}"),
            format!("/users/{id}"),
            format!("/users/{id}/transactions"),
            format!("/transactions/{id}"),
        ] {
            let answer = world.get(&admin, &format!("{ADMIN}{path}")).await;
            assert_eq!(answer.refusal(), (404, "not_found", vec![]), "{path}");
        }
        let path = format!("{ADMIN}/wallets/{id}/freeze");
        assert_eq!(world.post(&admin, &path, json!({ "reason": "r" })).await.refusal().0, 404);
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_400_and_one_too_large_413() {
    let world = World::new().await;
    let staff = world.person(Role::Support);
    let path = format!("{ADMIN}/tickets");
    let send =
        async |body: &str| world.send(Method::POST, &path, Some(&staff), Some(body.to_owned()), None).await;
    for body in ["", "{", "{\"subject\":\"\u{1}\"}", "\u{feff}{}"] {
        assert_eq!(send(body).await.refusal(), (400, "malformed_request", vec![]), "{body:?}");
    }
    let large = format!("{{\"subject\":\"{}\"}}", "x".repeat(1024 * 1024));
    assert_eq!(send(&large).await.refusal(), (413, "payload_too_large", vec![]));
    let untyped = world.send(Method::POST, &path, Some(&staff), None, None).await;
    assert_eq!(untyped.refusal(), (415, "unsupported_media_type", vec![]));
    for key in [" ", "a\tb", &"k".repeat(256)] {
        let body = json!({ "subject": "s", "description": "d", "requesterId": staff.id });
        let answer = world.post_keyed(&staff, &path, &body, key).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec!["Idempotency-Key"]), "{key:?}");
    }
}
