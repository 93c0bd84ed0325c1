//! Who gets nowhere. What each role may call is in the permission matrix of the platform (`standalone/tests/permissions`).

use axum::http::Method;
use common_auth::Role;
use serde_json::json;

use crate::world::World;

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
    let answer = world.get(&broken, "/api/v1/admin/tickets").await;
    assert_eq!(answer.refusal().0, 401);
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
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
