//! What every client can rely on: keys, the contract, methods, health, metrics.

use std::os::unix::fs::PermissionsExt;

use common_auth::{jwks::JwkSet, signing::TokenSigner};
use common_utils::telemetry;
use reqwest::Method;
use serde_json::json;

use crate::support::{World, answer, refusal};

#[tokio::test]
async fn the_keys_are_published_at_both_addresses() {
    let world = World::start().await;
    let own = TokenSigner::load_or_create(world.keys.path()).unwrap();
    for path in ["/.well-known/jwks.json", "/api/v1/identity/.well-known/jwks.json"] {
        let answer = world.get(path, None).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, serde_json::to_value(JwkSet::of([own.public_key()])).unwrap());
        assert_eq!(answer.headers["cache-control"], "public, max-age=300");
    }
    for file in ["jwt_ed25519.pem", "pii.key", "pii_lookup.key", "contacts.key", "factors.key"] {
        let mode = std::fs::metadata(world.keys.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn the_contract_is_served_and_shows_no_internal_call() {
    let world = World::start().await;
    let served = world.get("/openapi.json", None).await.body;
    assert_eq!(served, serde_json::to_value(identity_service::openapi()).unwrap());
    let paths: Vec<_> = served["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        paths,
        [
            "/.well-known/jwks.json",
            "/api/v1/identity/.well-known/jwks.json",
            "/api/v1/identity/api-keys",
            "/api/v1/identity/api-keys/{id}",
            "/api/v1/identity/api-keys/{id}/rotate",
            "/api/v1/identity/devices",
            "/api/v1/identity/devices/confirm",
            "/api/v1/identity/devices/{id}",
            "/api/v1/identity/devices/{id}/challenge",
            "/api/v1/identity/devices/{id}/step-up/finish",
            "/api/v1/identity/devices/{id}/step-up/start",
            "/api/v1/identity/devices/{id}/unlock",
            "/api/v1/identity/kyc",
            "/api/v1/identity/kyc/bvn",
            "/api/v1/identity/kyc/cases",
            "/api/v1/identity/kyc/cases/{id}",
            "/api/v1/identity/kyc/cases/{id}/documents",
            "/api/v1/identity/kyc/reviews",
            "/api/v1/identity/kyc/reviews/{id}",
            "/api/v1/identity/kyc/reviews/{id}/approve",
            "/api/v1/identity/kyc/reviews/{id}/ask-for-more",
            "/api/v1/identity/kyc/reviews/{id}/documents/{documentId}",
            "/api/v1/identity/kyc/reviews/{id}/reject",
            "/api/v1/identity/login",
            "/api/v1/identity/logout",
            "/api/v1/identity/me",
            "/api/v1/identity/me/deactivate",
            "/api/v1/identity/me/email",
            "/api/v1/identity/me/email/confirm",
            "/api/v1/identity/me/phone",
            "/api/v1/identity/me/phone/confirm",
            "/api/v1/identity/mfa",
            "/api/v1/identity/mfa/recovery-codes",
            "/api/v1/identity/mfa/totp",
            "/api/v1/identity/mfa/totp/confirm",
            "/api/v1/identity/mfa/verify",
            "/api/v1/identity/oauth/token",
            "/api/v1/identity/passkeys",
            "/api/v1/identity/passkeys/register/finish",
            "/api/v1/identity/passkeys/register/start",
            "/api/v1/identity/passkeys/second-factor/finish",
            "/api/v1/identity/passkeys/second-factor/start",
            "/api/v1/identity/passkeys/sign-in/finish",
            "/api/v1/identity/passkeys/sign-in/start",
            "/api/v1/identity/passkeys/step-up/finish",
            "/api/v1/identity/passkeys/step-up/start",
            "/api/v1/identity/passkeys/{id}",
            "/api/v1/identity/password/change",
            "/api/v1/identity/password/forgot",
            "/api/v1/identity/password/reset",
            "/api/v1/identity/pin",
            "/api/v1/identity/pin/change",
            "/api/v1/identity/pin/verify",
            "/api/v1/identity/refresh",
            "/api/v1/identity/register",
            "/api/v1/identity/sessions",
            "/api/v1/identity/sessions/{id}",
            "/api/v1/identity/step-up",
            "/api/v1/identity/verification/email/confirm",
            "/api/v1/identity/verification/email/send",
            "/api/v1/identity/verification/phone/confirm",
            "/api/v1/identity/verification/phone/send",
        ]
    );
    assert!(served["openapi"].as_str().unwrap().starts_with("3.1"));
    let request = &served["components"]["schemas"]["RegisterRequest"];
    assert_eq!(request["additionalProperties"], json!(false));
    assert_eq!(request["properties"]["password"]["type"], "string");
}

/// Every documented call: an unknown method names those that are known, and what needs a token says so.
#[tokio::test]
async fn methods_and_tokens_are_as_documented() {
    let world = World::start().await;
    let contract = serde_json::to_value(identity_service::openapi()).unwrap();
    for (path, item) in contract["paths"].as_object().unwrap() {
        let refused = answer(world.request(Method::TRACE, path)).await;
        assert_eq!(refused.code(), refusal(405, "method_not_allowed"), "{path}");
        let allowed = refused.headers["allow"].to_str().unwrap().to_lowercase();
        for (method, operation) in item.as_object().unwrap() {
            assert!(allowed.contains(method.as_str()), "{path}: {allowed}");
            if operation.get("security").is_some() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let anonymous = answer(world.request(method, path).json(&json!({}))).await;
                assert_eq!(anonymous.code(), refusal(401, "unauthenticated"), "{path}");
            }
        }
    }
    assert_eq!(world.get("/api/v1/identity/nothing", None).await.code(), refusal(404, "not_found"));
}

#[tokio::test]
async fn the_correlation_id_is_taken_over_or_made() {
    let world = World::start().await;
    let with = async |id: &str| {
        let request = world.request(Method::GET, "/api/v1/identity/me").header("x-correlation-id", id);
        answer(request).await.body["correlationId"].as_str().unwrap().to_owned()
    };
    assert_eq!(with("my-call.1").await, "my-call.1");
    assert_ne!(with("not an id").await, "not an id");
}

#[tokio::test]
async fn without_kafka_it_is_degraded_and_serves() {
    let world = World::start().await;
    assert_eq!(world.get("/health/live", None).await.status, 200);
    let ready = world.get("/health/ready", None).await;
    assert_eq!((ready.status, &ready.body["status"]), (200, &json!("degraded")));
    assert_eq!(ready.body["dependencies"]["postgres"], "up");
    world.register(1).await;
}

#[tokio::test]
async fn it_counts_from_zero() {
    telemetry::metrics::install().unwrap();
    let world = World::start().await;
    let page = world.get("/metrics", None).await.body;
    let page = page.as_str().unwrap();
    for series in [
        "wallet_identity_logins_total{service=\"identity\",outcome=\"success\"}",
        "wallet_identity_logins_total{service=\"identity\",outcome=\"invalid_credentials\"}",
        "wallet_identity_registrations_total{service=\"identity\"}",
        "wallet_identity_kyc_checks_total{service=\"identity\",outcome=\"mismatch\"}",
        "wallet_identity_refresh_reuse_total{service=\"identity\"}",
        "wallet_notices_total{service=\"identity\",channel=\"email\",outcome=\"failed\"}",
        "wallet_notices_pending{service=\"identity\",channel=\"sms\"}",
        "wallet_identity_sessions_ended_total{service=\"identity\",reason=\"logout\"}",
        "wallet_identity_sessions_ended_total{service=\"identity\",reason=\"too_many\"}",
        "wallet_identity_logins_held_back_total{service=\"identity\",by=\"source\"}",
        "wallet_identity_accounts_locked_total{service=\"identity\"}",
        "wallet_identity_sources_blocked_total{service=\"identity\"}",
        "wallet_identity_api_key_exchanges_total{service=\"identity\",outcome=\"invalid_client\"}",
        "wallet_identity_second_factor_checks_total{service=\"identity\",method=\"totp\",outcome=\"wrong\"}",
        "wallet_identity_kyc_decisions_total{service=\"identity\",action=\"approve\",by=\"reviewer\"}",
        "wallet_identity_kyc_evidence_checks_total{service=\"identity\",kind=\"nin\",outcome=\"unavailable\"}",
        "wallet_identity_kyc_uploads_refused_total{service=\"identity\"}",
        "wallet_identity_kyc_checks_total{service=\"identity\",outcome=\"undecided\"}",
        "wallet_identity_kyc_cases{service=\"identity\",status=\"in_review\"}",
        "wallet_identity_kyc_cases_oldest_seconds{service=\"identity\",status=\"submitted\"}",
    ] {
        assert!(page.contains(series), "{series} is not in\n{page}");
    }
}
