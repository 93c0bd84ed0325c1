//! The delivery log, the test call, and how long what was sent is kept.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{Hooks, Reply};
use crate::world::eventually;

#[tokio::test]
async fn a_test_tells_what_came_back_and_changes_nothing() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["wallet.*"]).await;
    let path = format!("{}/test", endpoint.path);
    hooks.receiver.replies(Reply::Body(201, b"{\"ok\":true}".to_vec()));
    let done = hooks.post(&path, json!({})).await.expect(200).body;
    assert_eq!(
        (&done["status"], &done["eventType"], &done["log"][0]["statusCode"], &done["log"][0]["answer"]),
        (&json!("delivered"), &json!("webhook.test"), &json!(201), &json!("{\"ok\":true}"))
    );
    let got = hooks.receiver.got().remove(0);
    assert_eq!(got.signed_by(&endpoint.secret), 1);
    assert_eq!(
        (&got.json()["type"], &got.json()["data"]),
        (&json!("webhook.test"), &json!({ "endpointId": endpoint.id }))
    );
    for status in [500, 410] {
        hooks.receiver.replies(Reply::Status(status));
        let failed = hooks.post(&path, json!({})).await.expect(200).body;
        assert_eq!((&failed["status"], &failed["nextAttemptAt"]), (&json!("failed"), &Value::Null));
    }
    let shown = hooks.get(&endpoint.path).await;
    assert_eq!((&shown["status"], &shown["failingSince"]), (&json!("enabled"), &Value::Null));
    assert_eq!(hooks.published().await.iter().filter(|(kind, _)| kind.ends_with(".tested")).count(), 3);

    hooks.post(&format!("{}/disable", endpoint.path), json!({ "reason": "r" })).await.expect(200);
    let disabled = hooks.post(&path, json!({})).await.expect(200).body;
    assert_eq!(disabled["status"], "delivered", "so that it can be tried before it is enabled");
}

#[tokio::test]
async fn the_log_is_read_by_status_type_and_message_page_by_page() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let other = hooks.endpoint_at("http://127.0.0.1:9/", &["wallet.credited"]).await;
    let mut events = Vec::new();
    for kind in ["wallet.credited", "wallet.debited", "wallet.credited"] {
        events.push(hooks.happens(kind).await);
    }
    hooks.post(&format!("{}/test", endpoint.path), json!({})).await.expect(200);
    for (query, how_many) in [
        ("", 4),
        ("status=pending", 3),
        ("status=delivered", 1),
        ("eventType=wallet.credited", 2),
        ("eventType=webhook.test", 1),
        ("status=pending&eventType=wallet.debited", 1),
        (&format!("messageId={}", events[0].id), 1),
    ] {
        assert_eq!(hooks.deliveries(&endpoint, query).await.len(), how_many, "{query}");
    }
    assert_eq!(hooks.deliveries(&other, "").await.len(), 2, "its own alone");
    let first = hooks.get(&format!("{}/deliveries?limit=3", endpoint.path)).await;
    assert_eq!(first["items"][0]["eventType"], "webhook.test", "newest first");
    let cursor = first["nextCursor"].as_str().unwrap();
    let second = hooks.get(&format!("{}/deliveries?limit=3&cursor={cursor}", endpoint.path)).await;
    assert_eq!((second["items"].as_array().unwrap().len(), &second["nextCursor"]), (1, &Value::Null));
    assert_eq!(second["items"][0]["messageId"], json!(events[0].id));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_old_is_deleted_but_for_what_is_still_to_be_sent() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let sent = hooks.happens("wallet.credited").await;
    let service = hooks.sending().await;
    hooks.until(&endpoint, "delivered", 1).await;
    hooks.receiver.always(Reply::Status(500));
    let waiting = hooks.happens("wallet.debited").await;
    eventually("tried", async || {
        let found = hooks.deliveries(&endpoint, &format!("messageId={}", waiting.id)).await;
        (found[0]["attempts"] == 1).then_some(())
    })
    .await;
    service.stop().await;
    // So that its next attempt is not due when the month is over.
    let later = "UPDATE webhook_deliveries SET next_attempt_at = next_attempt_at + interval '40 days' WHERE status = 'pending'";
    sqlx::query(later).execute(&hooks.world.db.pool).await.unwrap();
    let messages = async || -> Vec<uuid::Uuid> {
        sqlx::query_scalar("SELECT id FROM webhook_messages").fetch_all(&hooks.world.db.pool).await.unwrap()
    };
    // What was deleted long ago goes last, which shows that all else was looked at.
    let gone = hooks.endpoint_at("http://127.0.0.1:9/", &["*"]).await;
    let delete = "DELETE".parse().unwrap();
    hooks.world.send(delete, &gone.path, Some(&hooks.admin), None, None).await.expect(204);
    let long_ago = "UPDATE webhook_endpoints SET disabled_at = disabled_at - interval '30 days' WHERE status = 'deleted'";
    sqlx::query(long_ago).execute(&hooks.world.db.pool).await.unwrap();
    hooks.clock.advance(TimeDelta::days(29));
    let service = hooks.sending().await;
    eventually("it is gone", async || {
        let endpoints: i64 = sqlx::query_scalar("SELECT count(*) FROM webhook_endpoints")
            .fetch_one(&hooks.world.db.pool)
            .await
            .unwrap();
        (endpoints == 1).then_some(())
    })
    .await;
    assert!(messages().await.contains(&sent.id), "not yet");
    service.stop().await;
    hooks.clock.advance(TimeDelta::days(2));
    let service = hooks.sending().await;
    eventually("only what waits", async || (messages().await == [waiting.id]).then_some(())).await;
    assert_eq!(hooks.deliveries(&endpoint, "").await.len(), 1);
    let attempts: i64 = sqlx::query_scalar("SELECT count(DISTINCT delivery_id) FROM webhook_attempts")
        .fetch_one(&hooks.world.db.pool)
        .await
        .unwrap();
    assert_eq!(attempts, 1, "the log goes with what it tells of");
    service.stop().await;
}
