//! `HTTP_PROXY` is for what lies outside: calls between services do not go through it. Variables are of the process,
//! so the test starts itself again with them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what helps a test fails as a test does; clippy knows the test functions only"
)]

use std::process::Command;

use axum::Router;
use common_utils::http_client::{self, ClientConfig};

/// Where the service is; set for the second process only.
const SERVICE: &str = "TEST_PROXY_SERVICE";

/// Answers every call with these words.
async fn says(words: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(async move || words);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

async fn answer(config: &ClientConfig, address: &str) -> String {
    let client = http_client::build("test", "service", config).unwrap();
    client.get(address).send().await.unwrap().text().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_that_is_told_to_uses_the_proxy() {
    if let Ok(service) = std::env::var(SERVICE) {
        assert_eq!(answer(&ClientConfig::default(), &service).await, "the service");
        let outward = ClientConfig { proxy: true, ..ClientConfig::default() };
        assert_eq!(answer(&outward, &service).await, "the proxy");
        return;
    }
    let (service, proxy) = (says("the service").await, says("the proxy").await);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env_clear().env(SERVICE, service).env("HTTP_PROXY", &proxy).env("http_proxy", &proxy);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
