//! What arrives: once, signed, of the types that were asked for, from when they were asked for.

use std::{collections::BTreeSet, time::Duration};

use chrono::TimeDelta;
use common_utils::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::{Hooks, Receiver, Reply};
use crate::world::event;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_arrives_as_the_standard_says() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["wallet.*"]).await;
    let service = hooks.sending().await;
    let event = hooks.happens("wallet.credited").await;
    let got = hooks.requests(1).await.remove(0);
    assert_eq!((got.path.as_str(), got.header("content-type")), ("/hook", "application/json"));
    assert_eq!(got.header("webhook-id"), event.id.to_string());
    assert_eq!(got.header("webhook-timestamp"), hooks.clock.now().timestamp().to_string());
    assert!(got.header("user-agent").starts_with("wallet-platform/"));
    assert_eq!(got.signed_by(&endpoint.secret), 1);
    assert_eq!(
        got.json(),
        json!({ "type": "wallet.credited", "timestamp": event.time, "data": event.data, "version": 1,
                "subject": "wallet/w-1", "correlationId": "a-correlation-id" })
    );
    let delivery = hooks.tried(&endpoint, 1).await;
    assert_eq!((&delivery["status"], &delivery["payload"]), (&json!("delivered"), &json!(got.body)));
    let log = &delivery["log"][0];
    assert_eq!((&log["number"], &log["statusCode"], &log["error"]), (&json!(1), &json!(204), &Value::Null));
    assert!(log["durationMs"].as_i64().unwrap() < 2_000);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_comes_again_is_sent_once() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let service = hooks.sending().await;
    let event = hooks.happens("wallet.credited").await;
    hooks.until(&endpoint, "delivered", 1).await;
    hooks.take_in(&[&event]).await;
    hooks.happens("wallet.debited").await;
    hooks.until(&endpoint, "delivered", 2).await;
    assert_eq!(hooks.receiver.got().len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_asked_for_arrives_and_nothing_older_than_the_asking() {
    let hooks = Hooks::new().await;
    let before = SystemClock.now() - TimeDelta::seconds(1);
    let endpoint = hooks.endpoint(&["wallet.credited", "transaction.*"]).await;
    let all = hooks.endpoint(&["*"]).await;
    hooks.happened("wallet.credited", before).await;
    for kind in [
        "wallet.credited",
        "wallet.debited",
        "transaction.failed",
        "admin.ticket.created",
        "wallet.unheard_of",
    ] {
        let event = event(kind, "wallet/w-1", "service:test", &json!({}));
        hooks.take_in(&[&event]).await;
    }
    let types = async |endpoint| -> Vec<String> {
        let found = hooks.deliveries(endpoint, "").await;
        let mut types: Vec<String> =
            found.iter().map(|delivery| delivery["eventType"].as_str().unwrap().to_owned()).collect();
        types.sort();
        types
    };
    assert_eq!(types(&endpoint).await, ["transaction.failed", "wallet.credited"]);
    assert_eq!(types(&all).await, ["transaction.failed", "wallet.credited", "wallet.debited"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_counts_for_what_happens_after_it_however_late_that_is_taken_in() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["wallet.credited"]).await;
    let early = SystemClock.now();
    let body = Some(json!({ "eventTypes": ["wallet.debited"] }).to_string());
    let patch = "PATCH".parse().unwrap();
    hooks.world.send(patch, &endpoint.path, Some(&hooks.admin), body, None).await.expect(200);
    let late = SystemClock.now();
    for (kind, at) in [
        ("wallet.credited", early),
        ("wallet.debited", early),
        ("wallet.credited", late),
        ("wallet.debited", late),
    ] {
        hooks.happened(kind, at).await;
    }
    let found = hooks.deliveries(&endpoint, "").await;
    let types: Vec<&Value> = found.iter().rev().map(|delivery| &delivery["eventType"]).collect();
    assert_eq!(types, ["wallet.credited", "wallet.debited"], "the first of before, the second of after");

    hooks.post(&format!("{}/disable", endpoint.path), json!({ "reason": "a pause" })).await.expect(200);
    let paused = SystemClock.now();
    hooks.happened("wallet.debited", paused).await;
    hooks.post(&format!("{}/enable", endpoint.path), json!({})).await.expect(200);
    hooks.happened("wallet.debited", paused).await;
    assert_eq!(hooks.deliveries(&endpoint, "").await.len(), 2, "what happens in the pause is not sent");
    hooks.happens("wallet.debited").await;
    assert_eq!(hooks.deliveries(&endpoint, "").await.len(), 3);
    assert_eq!(hooks.deliveries(&endpoint, "status=cancelled").await.len(), 2, "nor what waited");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_send_each_delivery_once() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let (one, two) = (hooks.sending().await, hooks.sending().await);
    let events: Vec<_> =
        (0..60).map(|_| event("wallet.credited", "wallet/w-1", "service:test", &json!({}))).collect();
    hooks.take_in(&events.iter().collect::<Vec<_>>()).await;
    hooks.until(&endpoint, "delivered", 60).await;
    let got = hooks.receiver.got();
    let ids: BTreeSet<&str> = got.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!((got.len(), ids.len()), (60, 60));
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_does_not_hold_up_another() {
    let hooks = Hooks::new().await;
    let hanging = Receiver::start().await;
    hanging.always(Reply::Never);
    let hung = hooks.endpoint_at(&hanging.url(), &["*"]).await;
    let service = hooks.sending().await;
    let many: Vec<_> =
        (0..100).map(|_| event("wallet.credited", "wallet/w-1", "service:test", &json!({}))).collect();
    hooks.take_in(&many.iter().collect::<Vec<_>>()).await;
    crate::world::eventually("all that it gets at a time", async || (hanging.got().len() >= 4).then_some(()))
        .await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let started = std::time::Instant::now();
    hooks.happens("wallet.debited").await;
    hooks.until(&endpoint, "delivered", 1).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(hooks.deliveries(&hung, "status=delivered").await.is_empty());
    assert!(hanging.got().len() < 20, "only a few at a time: {}", hanging.got().len());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_secret_is_changed_both_sign_and_then_the_new_one_alone() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let service = hooks.sending().await;
    let rotated = hooks.post(&format!("{}/rotate-secret", endpoint.path), json!({})).await.expect(200);
    let new = rotated.body["secret"].as_str().unwrap();
    assert_ne!(new, endpoint.secret);
    hooks.happens("wallet.credited").await;
    let got = hooks.requests(1).await.remove(0);
    assert_eq!((got.signed_by(&endpoint.secret), got.signed_by(new)), (1, 1));
    hooks.clock.advance(TimeDelta::hours(25));
    hooks.happens("wallet.credited").await;
    let got = hooks.requests(2).await.remove(1);
    assert_eq!((got.signed_by(&endpoint.secret), got.signed_by(new)), (0, 1));
    service.stop().await;
}
