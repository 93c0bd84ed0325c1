//! The BVN check.

use std::time::Instant;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{API_KEY, Answer, KYC_KEY, TestTwin};

fn person(bvn: &str) -> Value {
    json!({ "bvn": bvn, "firstName": "Ada", "lastName": "Okafor", "dateOfBirth": "1990-01-31" })
}

async fn verify(twin: &TestTwin, key: &str, body: &Value) -> Answer {
    twin.call(Method::POST, "/kyc/bvn/verify", Some(key), Some(&body.to_string())).await
}

#[tokio::test]
async fn the_last_digit_decides() {
    let twin = TestTwin::start().await;
    let ask = async |bvn: &str| verify(&twin, KYC_KEY, &person(bvn)).await;
    for bvn in ["22222222220", "22222222221", "22222222225"] {
        let matched = ask(bvn).await;
        let told = json!({ "status": "match", "mismatched": [], "registeredName": "OKAFOR ADA" });
        assert_eq!((matched.status, matched.body), (200, told));
    }
    assert_eq!(
        ask("22222222229").await.body,
        json!({ "status": "mismatch", "mismatched": ["firstName", "lastName"], "registeredName": "BELLO MUSA" })
    );
    assert_eq!(ask("22222222228").await.body["status"], "not_found");
    let started = Instant::now();
    assert_eq!(ask("22222222227").await.body["status"], "match");
    assert!(started.elapsed() >= std::time::Duration::from_millis(300));
}

#[tokio::test]
async fn what_was_told_of_a_number_is_answered() {
    let twin = TestTwin::start().await;
    let answer =
        json!({ "status": "partial", "mismatched": ["dateOfBirth"], "registeredName": "Okafor, A." });
    let tell = async |bvn: &str, answer: &Value| {
        twin.control("/twin/bvn-records", &json!({ "bvn": bvn, "answer": answer })).await.status
    };
    assert_eq!(tell("22222222229", &answer).await, 204);
    assert_eq!(verify(&twin, KYC_KEY, &person("22222222229")).await.body, answer);
    assert_eq!(tell("123", &answer).await, 400);
    assert_eq!(tell("22222222221", &json!({ "status": "perhaps" })).await, 400);
    assert_eq!(verify(&twin, KYC_KEY, &person("22222222221")).await.body["status"], "match");
}

#[tokio::test]
async fn it_fails_once_and_then_matches() {
    let twin = TestTwin::start().await;
    for bvn in ["22222222226", "33333333336"] {
        let statuses = [
            verify(&twin, KYC_KEY, &person(bvn)).await.status,
            verify(&twin, KYC_KEY, &person(bvn)).await.status,
            verify(&twin, KYC_KEY, &person(bvn)).await.status,
        ];
        assert_eq!(statuses, [503, 200, 200]);
    }
}

#[tokio::test]
async fn bad_requests_and_other_keys_are_refused() {
    let twin = TestTwin::start().await;
    assert_eq!(verify(&twin, API_KEY, &person("22222222220")).await.status, 401);
    for (field, value) in [
        ("bvn", json!("123")),
        ("firstName", json!("")),
        ("dateOfBirth", json!("yesterday")),
        ("nin", json!("1")),
    ] {
        let mut body = person("22222222220");
        body[field] = value;
        assert_eq!(verify(&twin, KYC_KEY, &body).await.status, 400, "{field}");
    }
}
