//! Where webhooks do not go: what is not public, and where a receiver sends them.

use admin_service::App;
use serde_json::{Value, json};

use super::{ENDPOINTS, Hooks, Receiver, Reply};
use crate::world::{Answer, send};

/// A service that sends to public addresses only, on the database of one that does not.
async fn strictly(hooks: &Hooks, path: &str, body: Value) -> Answer {
    let router = hooks.world.strict();
    send(&router, "POST".parse().unwrap(), path, Some(&hooks.admin), Some(body.to_string()), None).await
}

#[tokio::test]
async fn a_private_address_cannot_be_registered() {
    let hooks = Hooks::new().await;
    for (url, code) in [
        ("http://example.com/hook", "https_required"),
        ("https://127.0.0.1/hook", "private_address"),
        ("https://2130706433/hook", "private_address"),
        ("https://[::1]/hook", "private_address"),
        ("https://169.254.169.254/latest/meta-data", "private_address"),
        ("https://10.1.2.3:8443/", "private_address"),
        ("https://localhost/hook", "private_address"),
    ] {
        let answer = strictly(&hooks, ENDPOINTS, json!({ "url": url, "eventTypes": ["*"] })).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec!["url"]), "{url}");
        assert_eq!(answer.body["errors"][0]["code"], code, "{url}");
    }
    let public = json!({ "url": "https://192.0.9.1/hook", "eventTypes": ["*"] });
    strictly(&hooks, ENDPOINTS, public).await.expect(201);
}

/// Registered while that was allowed, or by a name that meant something else then.
#[tokio::test]
async fn a_private_address_is_not_called() {
    let hooks = Hooks::new().await;
    // Nothing that speaks HTTP: only whether anybody connects counts.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for (url, why) in [
        (format!("http://127.0.0.1:{port}/"), "the address must begin with https://"),
        (format!("https://127.0.0.1:{port}/"), "the address must lead to the public internet"),
        (format!("https://localhost:{port}/"), "the name leads to no public address"),
    ] {
        let endpoint = hooks.endpoint_at(&url, &["*"]).await;
        let test = strictly(&hooks, &format!("{}/test", endpoint.path), json!({})).await.expect(200);
        let log = &test.body["log"][0];
        assert!(log["error"].as_str().unwrap().contains(why), "{url}: {log}");
        assert_eq!((&log["statusCode"], &test.body["status"]), (&Value::Null, &json!("failed")));
        assert!(!log.to_string().contains(&port.to_string()), "the address stays out of the log: {log}");
    }
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(100), listener.accept()).await;
    assert!(nobody.is_err(), "somebody connected");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let hooks = Hooks::new().await;
    let elsewhere = Receiver::start().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    for status in [301, 302, 307, 308] {
        hooks.receiver.replies(Reply::Header(status, "location", elsewhere.url()));
        let test = hooks.post(&format!("{}/test", endpoint.path), json!({})).await.expect(200);
        let log = &test.body["log"][0];
        assert_eq!((&log["statusCode"], &test.body["status"]), (&json!(status), &json!("failed")));
        assert!(log["error"].as_str().unwrap().contains("redirects are not followed"));
    }
    assert!(elsewhere.got().is_empty());
}

#[tokio::test]
async fn the_log_says_why_nobody_was_reached_and_not_where() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint_at("http://127.0.0.1:9/hook/very-secret-path", &["*"]).await;
    let test = hooks.post(&format!("{}/test", endpoint.path), json!({})).await.expect(200);
    let error = test.body["log"][0]["error"].as_str().unwrap();
    assert!(error.starts_with("cannot connect: ") && error.contains("refused"), "{error}");
    assert!(!error.contains("very-secret-path"));
}

#[tokio::test]
async fn the_service_does_not_start_without_the_key_of_what_is_stored() {
    let hooks = Hooks::new().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let start = async |keys| {
        App::from_env(&hooks.world.env(keys)).await.map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(start(Some(elsewhere.path())).await, Ok(()), "nothing is stored, so a key is made");
    std::fs::remove_file(elsewhere.path().join("webhooks.key")).unwrap();
    hooks.endpoint(&["*"]).await;
    assert_eq!(start(None).await, Ok(()));
    let missing = start(Some(elsewhere.path())).await.unwrap_err();
    assert!(missing.contains("webhooks.key is missing"), "{missing}");
    std::fs::write(elsewhere.path().join("webhooks.key"), [7; 32]).unwrap();
    let other = start(Some(elsewhere.path())).await.unwrap_err();
    assert!(other.contains("webhooks.key holds another key"), "{other}");
}
