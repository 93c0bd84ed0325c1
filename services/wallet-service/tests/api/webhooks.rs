//! Webhooks at the door: who is let in, and what is kept.

use axum::http::StatusCode;
use common_utils::telemetry::metrics;
use serde_json::json;

use crate::webhooks_bank::{Bank, eventually, funded};

const BODY: &[u8] = br#"{"event":"account_funded","data":{"reference":"R1","amount":"1.00","userId":"c"}}"#;

#[tokio::test]
async fn only_what_the_provider_signed_is_let_in() {
    let bank = Bank::open().await;
    let of_other_body = provider_twin::signature(&"whsec-test".into(), b"{}").unwrap();
    let of_other_key = provider_twin::signature(&"sk_sandbox_test".into(), BODY).unwrap();
    for signature in [None, Some(""), Some("zz"), Some(of_other_body.as_str()), Some(of_other_key.as_str())] {
        let (status, problem) = bank.send("providus", signature, BODY.to_vec()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("invalid_signature")));
    }
    for provider in ["paystack", "providus-dcs", "PROVIDUS", "%00", "..%2Fx", "%FF"] {
        let (status, problem) = bank.send(provider, None, BODY.to_vec()).await;
        assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{provider}");
    }
    assert!(bank.webhooks().await.is_empty());
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let bank = Bank::open().await;
    let (status, problem) = bank.deliver(vec![b' '; 1024 * 1024 + 1]).await;
    assert_eq!((status, &problem["code"]), (StatusCode::PAYLOAD_TOO_LARGE, &json!("payload_too_large")));
    let (status, _) = bank.deliver(vec![b' '; 1024 * 1024]).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_repeated_body_is_kept_once_and_always_answered() {
    let bank = Bank::open().await;
    for _ in 0..3 {
        assert_eq!(bank.deliver(BODY).await, (StatusCode::OK, json!({ "status": true })));
    }
    let raw: Vec<u8> =
        sqlx::query_scalar("SELECT body FROM webhooks").fetch_one(&bank.db.pool).await.unwrap();
    assert_eq!(raw, BODY);
    let twice = tokio::join!(bank.deliver("{}"), bank.deliver("{}"), bank.deliver("{}"));
    assert_eq!([twice.0.0, twice.1.0, twice.2.0], [StatusCode::OK; 3]);
    assert_eq!(bank.webhooks().await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_read_fails_and_what_is_not_for_us_is_ignored() {
    let bank = Bank::open().await;
    let _handler = bank.handler();
    let malformed: [&[u8]; 9] = [
        b"",
        b"not json",
        b"{\"event\":\"account_funded\",\"data\":{}}",
        b"[]",
        b"\xff\xfe\0",
        &funded("R1", "1.005", "c").into_bytes(),
        &funded("R1", "a lot", "c").into_bytes(),
        &funded("", "1.00", "c").into_bytes(),
        &funded("nul\0byte", "1.00", "c").into_bytes(),
    ];
    for body in malformed {
        assert_eq!(bank.deliver(body).await.0, StatusCode::OK);
    }
    let other =
        json!({"event": "customer_wallet_credited", "data": {"amount": 1, "reference": "X"}}).to_string();
    let unknown = json!({"event": "some\u{0}thing new"}).to_string();
    for body in [other, unknown] {
        assert_eq!(bank.deliver(body).await.0, StatusCode::OK);
    }
    let ends = bank.settled(11).await;
    for end in &ends[..9] {
        assert_eq!(end, &("failed".to_owned(), Some("malformed".to_owned())));
    }
    for end in &ends[9..] {
        assert_eq!(end, &("ignored".to_owned(), Some("unknown_event".to_owned())));
    }
}

#[tokio::test]
async fn every_series_is_there_before_anything_happens() {
    metrics::install().unwrap();
    let bank = Bank::open().await;
    let _workers = (bank.issuer(), bank.handler());
    let page = eventually("the workers' metrics", async || {
        let page = reqwest::get(format!("{}/metrics", bank.service)).await.ok()?.text().await.ok()?;
        (page.contains("wallet_webhooks_total") && page.contains("wallet_virtual_accounts_total"))
            .then_some(page)
    })
    .await;
    for (metric, outcome) in [
        ("wallet_webhooks_total", "credited"),
        ("wallet_webhooks_total", "amount_mismatch"),
        ("wallet_webhooks_total", "invalid_signature"),
        ("wallet_webhooks_total", "unknown_provider"),
        ("wallet_virtual_accounts_total", "provider_unavailable"),
        ("wallet_provider_requests_total", "unexpected"),
    ] {
        let there = page.lines().any(|line| {
            line.starts_with(metric)
                && line.contains(&format!("outcome=\"{outcome}\""))
                && line.contains("service=\"wallet\"")
        });
        assert!(there, "{metric} {outcome}");
    }
}
