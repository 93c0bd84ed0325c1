//! The committed contract is that of the code, and is what the gateway serves.

use serde_json::Value;
use standalone::contract;

use super::deployment::Deployment;

#[test]
fn the_committed_contract_is_that_of_the_code() {
    let committed = include_str!("../../../../gateway/openapi.json");
    assert!(
        committed == contract::text().unwrap(),
        "write it anew: cargo run -q -p standalone -- openapi > gateway/openapi.json"
    );
}

#[test]
fn nothing_internal_is_in_it() {
    let text = contract::text().unwrap();
    assert!(!text.contains("/internal/"));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/api/v1/identity/register",
        "/api/v1/wallet/wallets/{id}/entries",
        "/api/v1/transactions/transfers",
        "/api/v1/admin/tickets",
    ] {
        assert!(paths.contains_key(path), "{path} is missing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_serves_it_with_a_reference_page() {
    let platform = Deployment::standalone().await;
    let fetch = async |path: &str| {
        let answer = platform.client.get(format!("{}{path}", platform.gateway())).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.text().await.unwrap()
    };
    let served: Value = serde_json::from_str(&fetch("/openapi.json").await).unwrap();
    let own: Value = serde_json::from_str(&contract::text().unwrap()).unwrap();
    assert_eq!(served, own);
    assert!(fetch("/docs/").await.contains("swagger-ui"));
}
