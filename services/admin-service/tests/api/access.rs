//! Who may call what: every route, with every role and with none.

use axum::http::Method;
use common_auth::Role;
use common_utils::ids;
use serde_json::json;

use crate::world::World;

/// Method, path, body, and the answer to user, support, compliance, finance and admin. What is let in is answered by
/// what the call finds, so a call that may be made never has 401 or 403.
const TABLE: &[(&str, &str, Option<&str>, [u16; 5])] = &[
    ("GET", "/tickets", None, [403, 200, 403, 403, 200]),
    ("POST", "/tickets", Some("{}"), [403, 422, 403, 403, 422]),
    ("GET", "/tickets/{id}", None, [403, 404, 403, 403, 404]),
    ("POST", "/tickets/{id}/comments", Some(r#"{"body":"b"}"#), [403, 404, 403, 403, 404]),
    ("POST", "/tickets/{id}/assign", Some(r#"{"assigneeId":"{id}"}"#), [403, 422, 403, 403, 422]),
    ("POST", "/tickets/{id}/resolve", Some(r#"{"resolution":"r"}"#), [403, 404, 403, 403, 404]),
    ("GET", "/tickets/mine", None, [200, 200, 200, 200, 200]),
    ("POST", "/tickets/mine", Some("{}"), [422, 422, 422, 422, 422]),
    ("GET", "/tickets/mine/{id}", None, [404, 404, 404, 404, 404]),
    ("POST", "/tickets/mine/{id}/comments", Some(r#"{"body":"b"}"#), [404, 404, 404, 404, 404]),
    ("GET", "/users/{id}", None, [403, 404, 403, 403, 404]),
    ("GET", "/users/{id}/transactions", None, [403, 404, 403, 403, 404]),
    ("GET", "/transactions/{id}", None, [403, 404, 403, 403, 404]),
    ("GET", "/audit-logs", None, [403, 403, 200, 403, 200]),
    ("GET", "/audit-logs/verify", None, [403, 403, 200, 403, 200]),
    ("GET", "/dead-letters", None, [403, 403, 403, 403, 200]),
    ("POST", "/dead-letters/replay", Some("{}"), [403, 403, 403, 403, 422]),
    ("GET", "/dead-letters/{id}", None, [403, 403, 403, 403, 404]),
    ("POST", "/dead-letters/{id}/replay", None, [403, 403, 403, 403, 404]),
    ("POST", "/dead-letters/{id}/discard", Some(r#"{"reason":"r"}"#), [403, 403, 403, 403, 404]),
    ("GET", "/webhook-endpoints", None, [403, 403, 403, 403, 200]),
    ("POST", "/webhook-endpoints", Some("{}"), [403, 403, 403, 403, 422]),
    ("GET", "/webhook-endpoints/{id}", None, [403, 403, 403, 403, 404]),
    ("PATCH", "/webhook-endpoints/{id}", Some("{}"), [403, 403, 403, 403, 404]),
    ("DELETE", "/webhook-endpoints/{id}", None, [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/enable", None, [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/disable", Some(r#"{"reason":"r"}"#), [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/rotate-secret", None, [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/test", None, [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/resend", Some("{}"), [403, 403, 403, 403, 422]),
    ("GET", "/webhook-endpoints/{id}/deliveries", None, [403, 403, 403, 403, 404]),
    ("GET", "/webhook-endpoints/{id}/deliveries/{deliveryId}", None, [403, 403, 403, 403, 404]),
    ("POST", "/webhook-endpoints/{id}/deliveries/{deliveryId}/resend", None, [403, 403, 403, 403, 404]),
    ("POST", "/wallets/{id}/freeze", Some(r#"{"reason":"r"}"#), [403, 403, 404, 403, 404]),
    ("POST", "/wallets/{id}/unfreeze", Some(r#"{"reason":"r"}"#), [403, 403, 404, 403, 404]),
];

#[tokio::test]
async fn each_route_lets_in_whom_it_should() {
    let world = World::new().await;
    let id = ids::new_id().to_string();
    for (method, path, body, expected) in TABLE {
        let path = format!("/api/v1/admin{}", path.replace("{id}", &id).replace("{deliveryId}", &id));
        let send = async |caller: Option<&crate::world::Caller>| {
            let body = body.map(|body| body.replace("{id}", &id));
            world.send(method.parse().unwrap(), &path, caller, body, None).await
        };
        for (role, status) in Role::ALL.into_iter().zip(expected) {
            let answer = send(Some(&world.person(role))).await;
            assert_eq!(answer.status.as_u16(), *status, "{method} {path} as {}: {answer:?}", role.name());
        }
        let answer = send(None).await;
        assert_eq!(answer.refusal(), (401, "unauthenticated", vec![]), "{method} {path}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
}

/// A route that is not in the table is one whose access nobody looked at.
#[test]
fn the_table_has_every_route() {
    let api = serde_json::to_value(admin_service::openapi()).unwrap();
    let mut routes: Vec<String> = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        routes.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let mut table: Vec<String> =
        TABLE.iter().map(|(method, path, ..)| format!("{method} /api/v1/admin{path}")).collect();
    routes.sort();
    table.sort();
    assert_eq!(routes, table);
}

/// Whatever its owner may do.
#[tokio::test]
async fn no_machine_works_as_staff() {
    let world = World::new().await;
    let machine = world.machine(Role::Admin, "wallets:read transactions:read transfers:write");
    for path in ["/tickets", "/tickets/mine", "/audit-logs", "/webhook-endpoints"] {
        let answer = world.get(&machine, &format!("/api/v1/admin{path}")).await;
        assert_eq!(answer.refusal(), (403, "insufficient_scope", vec![]), "{path}");
    }
}

#[tokio::test]
async fn a_foreign_or_broken_token_is_no_token() {
    let (world, other) = (World::new().await, World::new().await);
    let stranger = other.person(Role::Admin);
    let answer = world.get(&stranger, "/api/v1/admin/tickets").await;
    assert_eq!(answer.refusal().1, "unauthenticated");
    let mut broken = world.person(Role::Admin);
    broken.token.push('x');
    assert_eq!(world.get(&broken, "/api/v1/admin/tickets").await.refusal().0, 401);
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    let world = World::new().await;
    let admin = world.person(Role::Admin);
    let answer = world.send(Method::DELETE, "/api/v1/admin/tickets", Some(&admin), None, None).await;
    assert_eq!(answer.refusal().1, "method_not_allowed");
    let mut allowed: Vec<&str> = answer.headers["allow"].to_str().unwrap().split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let nowhere = world.post(&admin, "/api/v1/admin/nowhere", json!({})).await;
    assert_eq!(nowhere.refusal().1, "not_found");
}
