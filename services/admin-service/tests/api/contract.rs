//! What the service says about itself: contract, reference page, health, metrics.

use common_auth::Role;
use common_utils::telemetry::metrics;

use crate::world::World;

#[tokio::test]
async fn the_contract_of_all_services_and_a_page_to_read_it_are_served() {
    let world = World::new().await;
    let reader = world.person(Role::User);
    let merged = world.get(&reader, "/openapi/merged.json").await.expect(200);
    assert_eq!(merged.headers["content-type"], "application/json");
    assert!(merged.body["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = merged.body["paths"].as_object().unwrap();
    assert!(paths.contains_key("/api/v1/admin/audit-logs/verify"));
    assert!(paths.keys().all(|path| !path.starts_with("/internal")));
    let own = world.get(&reader, "/openapi.json").await.expect(200);
    assert_eq!(own.body["info"]["title"], "Admin");
    let page = world.get(&reader, "/docs/").await.expect(200);
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
}

#[tokio::test]
async fn every_operation_says_who_may_call_it_and_what_it_answers() {
    let api = serde_json::to_value(admin_service::openapi()).unwrap();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["security"][0]["bearer"].is_array(), "{method} {path}");
            assert!(operation["responses"]["401"].is_object(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap().values();
            assert!(answers.into_iter().all(|answer| answer["description"].is_string()), "{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn metrics_are_there_from_the_start() {
    metrics::install().unwrap();
    let world = World::new().await;
    let reader = world.person(Role::User);
    let page = world.get(&reader, "/metrics").await.expect(200);
    let text = page.body.as_str().unwrap();
    for sample in [
        "wallet_audit_entries_total{service=\"admin\"}",
        "wallet_audit_last_sequence{service=\"admin\"}",
        "wallet_tickets_total{service=\"admin\",status=\"open\"}",
        "wallet_tickets_total{service=\"admin\",status=\"in_progress\"}",
        "wallet_tickets_total{service=\"admin\",status=\"resolved\"}",
        "wallet_tickets_total{service=\"admin\",status=\"closed\"}",
        "wallet_webhook_deliveries_total{service=\"admin\",outcome=\"delivered\"}",
        "wallet_webhook_deliveries_total{service=\"admin\",outcome=\"failed\"}",
        "wallet_webhook_deliveries_total{service=\"admin\",outcome=\"cancelled\"}",
        "wallet_webhook_attempts_total{service=\"admin\",outcome=\"failure\"}",
        "wallet_webhook_attempt_duration_seconds_bucket{service=\"admin\",outcome=\"success\",le=\"30\"}",
        "wallet_webhook_endpoints{service=\"admin\",status=\"failing\"}",
        "wallet_webhook_endpoints_disabled_total{service=\"admin\",cause=\"gone\"}",
        "wallet_webhook_pending{service=\"admin\"}",
        "wallet_webhook_oldest_due_seconds{service=\"admin\"}",
    ] {
        assert!(text.contains(sample), "{sample} is not in {text}");
    }
}

#[tokio::test]
async fn without_kafka_the_service_is_ready_and_says_so() {
    let world = World::new().await;
    let reader = world.person(Role::User);
    world.get(&reader, "/health/live").await.expect(200);
    let ready = world.get(&reader, "/health/ready").await.expect(200);
    assert_eq!(
        (&ready.body["status"], &ready.body["dependencies"]["postgres"]),
        (&"degraded".into(), &"up".into())
    );
}
