//! The NIN check and the look at documents.

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{API_KEY, Answer, KYC_KEY, TestTwin};

async fn post(twin: &TestTwin, path: &str, key: &str, body: &Value) -> Answer {
    twin.call(Method::POST, path, Some(key), Some(&body.to_string())).await
}

async fn nin(twin: &TestTwin, digits: &str) -> Answer {
    let body = json!({ "nin": digits, "firstName": "Ada", "lastName": "Obi", "dateOfBirth": "1990-01-31" });
    post(twin, "/kyc/nin/verify", KYC_KEY, &body).await
}

async fn document(twin: &TestTwin, content: &[u8]) -> Answer {
    let body = json!({
        "kind": "selfie", "contentType": "image/jpeg", "content": STANDARD.encode(content),
        "firstName": "Ada", "lastName": "Obi", "address": "1 Marina Road, Lagos, Lagos",
    });
    post(twin, "/kyc/documents/verify", KYC_KEY, &body).await
}

#[tokio::test]
async fn the_last_digit_of_a_nin_decides() {
    let twin = TestTwin::start().await;
    for (digits, status, name) in [
        ("11111111111", "match", json!("OBI ADA")),
        ("11111111117", "match", json!("OBI ADA")),
        ("11111111113", "match", json!("O\u{300}bi\u{300}, A\u{300}da\u{300}")),
        ("11111111114", "match", json!("Obi")),
        ("11111111115", "partial", json!("Obi, A.")),
        ("11111111118", "not_found", Value::Null),
        ("11111111119", "mismatch", json!("BELLO MUSA")),
    ] {
        let answer = nin(&twin, digits).await;
        assert_eq!(answer.body, json!({ "status": status, "registeredName": name }), "{digits}");
    }
    let twice = [nin(&twin, "11111111116").await.status, nin(&twin, "11111111116").await.status];
    assert_eq!(twice, [503, 200]);
}

#[tokio::test]
async fn what_stands_in_a_document_decides() {
    let twin = TestTwin::start().await;
    for (content, status) in [
        (b"a photo".as_slice(), "match"),
        (b"a photo twin:slow", "match"),
        (b"a photo twin:partial", "partial"),
        (b"twin:mismatch", "mismatch"),
    ] {
        assert_eq!(document(&twin, content).await.body["status"], status);
    }
    assert_eq!(document(&twin, b"twin:down").await.status, 503);
    let large = vec![b'x'; 10 * 1024 * 1024];
    assert_eq!(document(&twin, &large).await.body["status"], "match", "as large as a document may be");
}

#[tokio::test]
async fn bad_requests_other_keys_and_a_provider_that_is_down_are_refused() {
    let twin = TestTwin::start().await;
    assert_eq!(nin(&twin, "123").await.status, 400);
    assert_eq!(document(&twin, b"").await.status, 400);
    let body =
        json!({ "nin": "11111111111", "firstName": "", "lastName": "Obi", "dateOfBirth": "1990-01-31" });
    assert_eq!(post(&twin, "/kyc/nin/verify", KYC_KEY, &body).await.status, 400);
    assert_eq!(post(&twin, "/kyc/nin/verify", API_KEY, &body).await.status, 401);
    twin.call(Method::POST, "/twin/faults", None, Some(r#"{"mode":"down"}"#)).await;
    assert_eq!((nin(&twin, "11111111111").await.status, document(&twin, b"x").await.status), (503, 503));
}
