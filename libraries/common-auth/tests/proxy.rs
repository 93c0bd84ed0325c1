//! Keys are read from identity-service directly, whatever `HTTP_PROXY` says. Variables are of the process, so the test
//! starts itself again with one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what helps a test fails as a test does; clippy knows the test functions only"
)]

use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::Router;
use common_auth::{
    claims::DEFAULT_ISSUER,
    verify::{TokenError, TokenVerifier},
};
use common_utils::clock::SystemClock;

/// Where identity-service is; set for the second process only.
const IDENTITY: &str = "TEST_PROXY_IDENTITY";
/// Names a key that nobody has, so the keys are asked for.
const TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.e30.AA";

/// A server that counts its calls.
async fn counting() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&calls);
    let router = Router::new().fallback(async move || {
        count.fetch_add(1, Ordering::Relaxed);
        r#"{"keys":[]}"#
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}"), calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_are_not_read_through_a_proxy() {
    if let Ok(identity) = std::env::var(IDENTITY) {
        let verifier = TokenVerifier::with_jwks(DEFAULT_ISSUER, &identity, SystemClock::shared()).unwrap();
        assert!(matches!(verifier.verify(TOKEN).await, Err(TokenError::Invalid)));
        return;
    }
    let ((identity, asked), (proxy, passed)) = (counting().await, counting().await);
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.env_clear().env(IDENTITY, identity).env("HTTP_PROXY", &proxy).env("http_proxy", &proxy);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!((asked.load(Ordering::Relaxed), passed.load(Ordering::Relaxed)), (1, 0));
}
