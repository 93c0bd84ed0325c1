//! The key management service, as the documentation of Vault's transit engine shows its calls.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{KMS_TOKEN, TestTwin};

async fn call(twin: &TestTwin, method: Method, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/v1/transit{path}", twin.address);
    let request = reqwest::Client::new().request(method, url).header("X-Vault-Token", token).json(body);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn post(twin: &TestTwin, path: &str, body: Value) -> (u16, Value) {
    call(twin, Method::POST, path, KMS_TOKEN, &body).await
}

#[tokio::test]
async fn what_it_encrypts_it_opens_for_the_same_key_and_data() {
    let twin = TestTwin::start().await;
    let plaintext = "dGhlIHF1aWNrIGJyb3duIGZveA==";
    let (status, sealed) =
        post(&twin, "/encrypt/pii", json!({ "plaintext": plaintext, "associated_data": "QQ==" })).await;
    assert_eq!((status, &sealed["data"]["key_version"]), (200, &json!(1)));
    let ciphertext = sealed["data"]["ciphertext"].as_str().unwrap();
    assert!(ciphertext.starts_with("vault:v1:"), "{ciphertext}");
    let open = async |key: &str, data: &str| {
        post(&twin, &format!("/decrypt/{key}"), json!({ "ciphertext": ciphertext, "associated_data": data }))
            .await
    };
    assert_eq!(open("pii", "QQ==").await, (200, json!({ "data": { "plaintext": plaintext } })));
    let refused = (400, json!({ "errors": ["cipher: message authentication failed"] }));
    assert_eq!(open("pii", "Qg==").await, refused);
    assert_eq!(open("other", "QQ==").await, refused);

    let (_, rotated) = post(&twin, "/keys/pii/rotate", json!({})).await;
    assert_eq!(rotated["data"]["latest_version"], 2);
    let (_, newer) = post(&twin, "/encrypt/pii", json!({ "plaintext": plaintext })).await;
    assert!(newer["data"]["ciphertext"].as_str().unwrap().starts_with("vault:v2:"));
    assert_eq!(open("pii", "QQ==").await.0, 200, "older versions open");
    let (status, described) = call(&twin, Method::GET, "/keys/pii", KMS_TOKEN, &Value::Null).await;
    assert_eq!((status, &described["data"]["latest_version"]), (200, &json!(2)));
}

#[tokio::test]
async fn it_refuses_who_has_no_token_and_what_it_cannot_read() {
    let twin = TestTwin::start().await;
    let body = json!({ "plaintext": "QQ==" });
    let denied = (403, json!({ "errors": ["permission denied"] }));
    assert_eq!(call(&twin, Method::POST, "/encrypt/pii", "another token", &body).await, denied);
    for (path, body) in [
        ("/encrypt/pii", json!({ "plaintext": "not base64!" })),
        ("/decrypt/pii", json!({ "ciphertext": "QQ==" })),
        ("/decrypt/pii", json!({ "ciphertext": "vault:v1:QQ==" })),
    ] {
        assert_eq!(post(&twin, path, body.clone()).await.0, 400, "{body}");
    }
    assert_eq!(twin.control("/twin/faults", &json!({ "mode": "down" })).await.status, 200);
    assert_eq!(post(&twin, "/encrypt/pii", body).await.0, 503);
}
