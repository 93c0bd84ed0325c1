//! Which path leads where, in every spelling.

use http::StatusCode;
use serde_json::json;

use crate::support::{get, token, world};

const JWKS: &str = "/api/v1/identity/.well-known/jwks.json";

#[tokio::test]
async fn each_prefix_leads_to_its_service_with_the_path_unchanged() {
    let world = world();
    for (path, service) in [
        ("/api/v1/identity/me", "identity-service"),
        ("/api/v1/wallet", "wallet-service"),
        ("/api/v1/wallet/", "wallet-service"),
        ("/api/v1/wallet/wallets/7/balance?at=2026-01-01T00:00:00Z&x=%20", "wallet-service"),
        ("/api/v1/transactions?limit=3", "transaction-service"),
        ("/api/v1/admin/tickets/mine", "admin-service"),
        ("/api/v1/admin/tickets/mines", "admin-service"),
    ] {
        let answer = world.get_with(path, &token("ada")).await;
        assert_eq!((answer.status, &answer.json()["service"]), (StatusCode::OK, &json!(service)), "{path}");
        assert_eq!(answer.json()["uri"], path);
    }
}

#[tokio::test]
async fn nothing_else_is_routed() {
    let world = world();
    for path in [
        "/",
        "/internal/v1/users",
        "/api/v1/internal",
        "/api/v1",
        "/api/v1/administrator",
        "/api/v1/adminx/tickets",
        "/api/v1/walletx",
        "/api/v1/identity-evil/me",
        "/API/v1/wallet",
        "/x/api/v1/wallet",
        "/api/v1/wallet%2Fwallets",
        "/health/live",
        "/metrics",
        "/openapi.jsonx",
        "/openapi/merged.json",
        "/docsx",
        "/api/v1/wallet/../../../internal/v1/users",
        "/api/v1/wallet/%2e%2e/%2e%2e/%2E%2E/internal/v1/postings",
        "//internal//v1",
    ] {
        assert_eq!(world.get_with(path, &token("ada")).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/api/v1/../../../internal", "/api/v1/wallet%00"] {
        assert_eq!(world.get_with(path, &token("ada")).await.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn what_is_public_needs_no_token() {
    let world = world();
    for path in [
        "/api/v1/identity/register",
        "/api/v1/identity/login",
        "/api/v1/identity/oauth/token",
        "/api/v1/identity/mfa/verify",
        "/api/v1/identity/refresh",
        "/api/v1/identity/password/forgot",
        "/api/v1/identity/password/reset",
        "/api/v1/identity/passkeys/sign-in/start",
        "/api/v1/identity/passkeys/second-factor/finish",
        "/api/v1/identity/devices/01975b6e-6b8e-7c3e-9d4e-1f2a3b4c5d6e/unlock",
        JWKS,
        "/api/v1/wallet/webhooks/providus",
        "/api/v1/wallet/webhooks/providus-dcs",
        "/docs",
        "/docs/",
        "/docs/index.css",
    ] {
        assert_eq!(world.send(get(path)).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn everything_else_needs_one_however_it_is_spelt() {
    let world = world();
    for path in [
        "/api/v1/identity",
        "/api/v1/identity/me",
        "/api/v1/identity/logout",
        "/api/v1/identity/login/",
        "/api/v1/identity/login/x",
        "/api/v1/identity/oauth/token/x",
        "/api/v1/identity/api-keys",
        "/api/v1/identity/api-keys/7/rotate",
        "/api/v1/identity/mfa/totp",
        "/api/v1/identity/mfa/verify/x",
        "/api/v1/identity/step-up",
        "/api/v1/identity/password/change",
        "/api/v1/identity/passkeys",
        "/api/v1/identity/passkeys/register/start",
        "/api/v1/identity/passkeys/step-up/finish",
        "/api/v1/identity/devices/confirm",
        "/api/v1/identity/devices/x/step-up/start",
        "/api/v1/identity/devices/x/y/unlock",
        "/api/v1/identity/login/../me",
        "/api/v1/identity/login/%2e%2e/me",
        "/api/v1/identity/register;x",
        "/api/v1/identity/xwell-known/jwks.json",
        "/api/v1/wallet/webhooks",
        "/api/v1/wallet/webhooks/",
        "/api/v1/wallet/webhooks/providus/x",
        "/api/v1/wallet/webhooks/../wallets",
        "/api/v1/wallet//webhooks/x/../../wallets",
        "/api/v1/transactions/transfers",
        "/api/v1/admin/tickets/mine",
        "/%61pi/v1/%77allet/wallets",
    ] {
        assert_eq!(world.send(get(path)).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn the_service_sees_the_path_that_was_routed() {
    let world = world();
    for (path, seen) in [
        ("/api/v1/wallet/webhooks/../wallets", "/api/v1/wallet/wallets"),
        ("//api/v1//wallet/./wallets", "/api/v1/wallet/wallets"),
        ("/api/v1/%77allet/a%20b%2fc", "/api/v1/wallet/a%20b%2Fc"),
    ] {
        let answer = world.get_with(path, &token("ada")).await;
        assert_eq!(answer.json()["uri"], seen, "{path}");
        assert_eq!(answer.json()["headers"]["x-forwarded-path"], path);
    }
}

#[tokio::test]
async fn keys_are_where_identity_has_them() {
    let seen = world().send(get(JWKS)).await.json();
    assert_eq!(
        (&seen["service"], &seen["uri"]),
        (&json!("identity-service"), &json!("/.well-known/jwks.json"))
    );
}

#[tokio::test]
async fn the_contract_of_all_services_is_the_admin_services() {
    let answer = world().send(get("/openapi.json")).await;
    let seen = answer.json();
    assert_eq!((&seen["service"], &seen["uri"]), (&json!("admin-service"), &json!("/openapi/merged.json")));
    assert_eq!(seen["headers"]["x-forwarded-prefix"], "/openapi.json");
    assert_eq!(world().send(get("/docs/")).await.json()["uri"], "/docs/");
}

#[tokio::test]
async fn a_method_is_no_matter_of_routing() {
    let world = world();
    for method in ["PUT", "DELETE", "PATCH", "TRACE"] {
        let request = get("/api/v1/wallet/wallets").method(method);
        let answer = world.send(request.header("authorization", format!("Bearer {}", token("ada")))).await;
        assert_eq!((answer.status, &answer.json()["method"]), (StatusCode::OK, &json!(method)));
    }
}

/// Kong orders equal expressions by the routes' ids, so no path may be taken by two of one priority.
#[test]
fn no_path_rests_on_the_order_of_equals() {
    let config = crate::support::config();
    let routes: Vec<_> = config.services.iter().flat_map(|service| &service.routes).collect();
    for path in [
        "/api/v1/identity/login",
        "/api/v1/identity/register",
        "/api/v1/identity/oauth/token",
        "/api/v1/identity/api-keys",
        "/api/v1/identity/api-keys/7/rotate",
        "/api/v1/identity/devices/7/step-up/start",
        "/api/v1/identity/devices/7/unlock",
        "/api/v1/identity/passkeys/step-up/start",
        "/api/v1/identity/kyc/bvn",
        "/api/v1/identity/password/forgot",
        "/api/v1/identity/password/change",
        "/api/v1/identity/me/email/confirm",
        "/api/v1/identity/verification/phone/send",
        JWKS,
        "/api/v1/identity/kyc/cases/7/documents",
        "/api/v1/wallet/webhooks/providus",
        "/api/v1/transactions/transfers",
        "/api/v1/admin/tickets/mine/7",
        "/openapi.json",
        "/docs/",
    ] {
        let mut taken: Vec<_> = routes
            .iter()
            .filter(|route| {
                route
                    .paths
                    .iter()
                    .any(|regex| regex::Regex::new(&regex.replacen('~', "^", 1)).unwrap().is_match(path))
            })
            .map(|route| route.regex_priority)
            .collect();
        let count = taken.len();
        taken.dedup();
        assert!(count > 0 && taken.len() == count, "{path}: {taken:?}");
    }
}
