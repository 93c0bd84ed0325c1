//! What does not arrive: tried again for a day, given up, an endpoint that is disabled, and sending again.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Endpoint, Hooks, Receiver, Reply};
use crate::world::eventually;

fn next_attempt(delivery: &Value) -> DateTime<Utc> {
    delivery["nextAttemptAt"].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_is_tried_again_when_its_time_has_come() {
    use common_utils::clock::Clock;
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.replies(Reply::Body(500, b"out of\0 order".to_vec()));
    hooks.receiver.replies(Reply::Header(503, "retry-after", "1800".to_owned()));
    let service = hooks.sending().await;
    let event = hooks.happens("wallet.credited").await;

    let once = hooks.tried(&endpoint, 1).await;
    assert_eq!((&once["status"], &once["endedAt"]), (&json!("pending"), &Value::Null));
    let log = &once["log"][0];
    assert_eq!(
        (&log["statusCode"], &log["error"], &log["answer"]),
        (&json!(500), &json!("answered 500"), &json!("out of\u{fffd} order"))
    );
    let pause = next_attempt(&once) - hooks.clock.now();
    assert!((5..=6).contains(&pause.num_seconds()), "{pause}");
    assert!(hooks.get(&endpoint.path).await["failingSince"].is_string());

    hooks.clock.advance(TimeDelta::seconds(6));
    let twice = hooks.tried(&endpoint, 2).await;
    let pause = next_attempt(&twice) - hooks.clock.now();
    assert_eq!(pause.num_seconds(), 1800, "as it was asked for");

    hooks.clock.advance(TimeDelta::seconds(1801));
    let thrice = hooks.tried(&endpoint, 3).await;
    assert_eq!(thrice["status"], "delivered");
    assert_eq!(hooks.get(&endpoint.path).await["failingSince"], Value::Null);
    let got = hooks.receiver.got();
    assert!(got.iter().all(|request| request.header("webhook-id") == event.id.to_string()));
    assert!(got.iter().all(|request| request.signed_by(&endpoint.secret) == 1), "each time anew");
    assert_ne!(got[0].header("webhook-timestamp"), got[2].header("webhook-timestamp"));
    service.stop().await;
}

/// Moves the clock on until the only delivery has ended.
async fn until_it_ends(hooks: &Hooks, endpoint: &Endpoint) -> Value {
    for attempts in 1.. {
        let delivery = hooks.tried(endpoint, attempts).await;
        if delivery["status"] != "pending" {
            return delivery;
        }
        hooks.clock.advance(TimeDelta::hours(11));
    }
    unreachable!("there is an end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_always_fails_is_given_up_and_can_be_sent_again() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.always(Reply::Status(500));
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    let failed = until_it_ends(&hooks, &endpoint).await;
    assert_eq!((&failed["status"], &failed["attempts"]), (&json!("failed"), &json!(8)));
    assert_eq!(failed["log"].as_array().unwrap().len(), 8);

    hooks.receiver.always(Reply::Status(200));
    let path = format!("{}/deliveries/{}/resend", endpoint.path, failed["id"].as_str().unwrap());
    let ordered = hooks.post(&path, json!({})).await.expect(202);
    assert_eq!(ordered.body["status"], "pending");
    let again = hooks.tried(&endpoint, 9).await;
    assert_eq!(again["status"], "delivered");
    let got = hooks.receiver.got();
    assert_eq!(got[0].header("webhook-id"), got[8].header("webhook-id"));
    let (kind, event) = hooks.published().await.pop().unwrap();
    assert_eq!(
        (kind.as_str(), &event["data"]["deliveryId"]),
        ("admin.webhook_endpoint.resent", &failed["id"])
    );
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_that_he_is_gone_is_disabled_at_once() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.replies(Reply::Status(410));
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    let failed = hooks.tried(&endpoint, 1).await;
    assert_eq!(failed["status"], "failed");
    let disabled = hooks.get(&endpoint.path).await;
    assert_eq!(
        (&disabled["status"], &disabled["disabledReason"], &disabled["disabledBy"]),
        (&json!("disabled"), &json!("It answered 410 Gone."), &Value::Null)
    );
    let (kind, event) = hooks.published().await.pop().unwrap();
    assert_eq!(
        (kind.as_str(), &event["actor"]),
        ("admin.webhook_endpoint.disabled", &json!("service:admin-service"))
    );
    let resend = format!("{}/deliveries/{}/resend", endpoint.path, failed["id"].as_str().unwrap());
    assert_eq!(hooks.post(&resend, json!({})).await.refusal(), (409, "webhook_endpoint_disabled", vec![]));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_fails_for_five_days_is_disabled_and_what_waits_is_cancelled() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.always(Reply::Status(500));
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    hooks.tried(&endpoint, 1).await;
    // Two more wait while the five days pass.
    hooks.clock.advance(TimeDelta::days(5));
    for _ in 0..2 {
        hooks.happens("wallet.debited").await;
    }
    let status = async || hooks.get(&endpoint.path).await["status"].clone();
    eventually("disabled", async || (status().await == "disabled").then_some(())).await;
    eventually("nothing waits", async || {
        hooks.deliveries(&endpoint, "status=pending").await.is_empty().then_some(())
    })
    .await;
    let disabled = hooks.get(&endpoint.path).await;
    assert_eq!(disabled["disabledReason"], "Every attempt failed for 5 days.");
    assert_eq!(hooks.published().await.pop().unwrap().0, "admin.webhook_endpoint.disabled");
    let tried = hooks.receiver.got().len();

    // Enabled again it gets what happens from then on, and the rest when somebody orders it.
    hooks.receiver.always(Reply::Status(204));
    hooks.post(&format!("{}/enable", endpoint.path), json!({})).await.expect(200);
    let order =
        hooks.post(&format!("{}/resend", endpoint.path), json!({ "from": "2020-01-01T00:00:00Z" })).await;
    assert_eq!(order.expect(202).body, json!({ "resending": 3 }));
    hooks.until(&endpoint, "delivered", 3).await;
    assert_eq!(hooks.receiver.got().len(), tried + 3);
    let (kind, event) = hooks.published().await.pop().unwrap();
    assert_eq!((kind.as_str(), &event["data"]["deliveries"]), ("admin.webhook_endpoint.resent", &json!(3)));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_failed_in_the_period_is_sent_again() {
    use common_utils::clock::Clock;
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let mut moments = Vec::new();
    for _ in 0..3 {
        moments.push(hooks.clock.now());
        hooks.happens("wallet.credited").await;
        hooks.clock.advance(TimeDelta::hours(1));
    }
    hooks.post(&format!("{}/disable", endpoint.path), json!({ "reason": "r" })).await.expect(200);
    hooks.post(&format!("{}/enable", endpoint.path), json!({})).await.expect(200);
    assert_eq!(hooks.deliveries(&endpoint, "status=cancelled").await.len(), 3);
    let resend = async |from: DateTime<Utc>, to: Option<DateTime<Utc>>| {
        let order = hooks.post(&format!("{}/resend", endpoint.path), json!({ "from": from, "to": to })).await;
        order.expect(202).body["resending"].clone()
    };
    assert_eq!(resend(moments[0] + TimeDelta::seconds(1), Some(moments[2])).await, 1);
    assert_eq!(resend(moments[2] + TimeDelta::seconds(1), None).await, 0);
    assert_eq!(resend(moments[0], None).await, 2, "what is on its way already is not ordered twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_answers_is_not_waited_for() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.replies(Reply::Never);
    hooks.receiver.replies(Reply::Dripping);
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    let once = hooks.tried(&endpoint, 1).await;
    assert_eq!(
        (&once["log"][0]["statusCode"], &once["log"][0]["error"]),
        (&Value::Null, &json!("no answer within 2 seconds"))
    );
    hooks.clock.advance(TimeDelta::seconds(6));
    let twice = hooks.tried(&endpoint, 2).await;
    assert_eq!(twice["status"], "delivered", "it said 200 before it began to drip");
    assert!(twice["log"][0]["durationMs"].as_i64().unwrap() < 5_000);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_left_in_the_middle_is_sent_again_under_the_same_id() {
    let hooks = Hooks::new().await;
    let slow = Receiver::start().await;
    slow.replies(Reply::Never);
    let endpoint = hooks.endpoint_at(&slow.url(), &["*"]).await;
    let event = hooks.happens("wallet.credited").await;
    // As a process does that dies: nobody writes down what came of it.
    let dying = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let app = hooks.world.app(hooks.clock.clone(), common_events::testing::no_kafka());
    dying.spawn(async move {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        app.run(listener, tokio_util::sync::CancellationToken::new()).await
    });
    eventually("the first attempt", async || (slow.got().len() == 1).then_some(())).await;
    dying.shutdown_background();

    let service = hooks.sending().await;
    hooks.clock.advance(TimeDelta::minutes(3));
    let delivery = hooks.tried(&endpoint, 1).await;
    assert_eq!(delivery["status"], "delivered");
    let got = slow.got();
    assert_eq!(got.len(), 2);
    assert!(got.iter().all(|request| request.header("webhook-id") == event.id.to_string()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_answer_is_cut() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.replies(Reply::Body(200, vec![b'x'; 50 * 1024 * 1024]));
    let started = std::time::Instant::now();
    let test = hooks.post(&format!("{}/test", endpoint.path), json!({})).await.expect(200);
    assert_eq!(test.body["log"][0]["answer"].as_str().unwrap().len(), 1024);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_address_answers_counts_for_that_address_alone() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let before = Receiver::start().await;
    let patch = async |url: String| {
        let body = Some(json!({ "url": url }).to_string());
        hooks
            .world
            .send("PATCH".parse().unwrap(), &endpoint.path, Some(&hooks.admin), body, None)
            .await
            .expect(200);
    };
    patch(before.url()).await;
    let gate = before.holds(410);
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    eventually("the attempt", async || (before.got().len() == 1).then_some(())).await;
    patch(hooks.receiver.url()).await;
    gate.notify_one();
    let failed = hooks.tried(&endpoint, 1).await;
    assert_eq!((&failed["status"], &failed["log"][0]["statusCode"]), (&json!("failed"), &json!(410)));
    let endpoint = hooks.get(&endpoint.path).await;
    assert_eq!((&endpoint["status"], &endpoint["failingSince"]), (&json!("enabled"), &Value::Null));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_whose_secret_cannot_be_opened_fails_alone_and_is_sent_nothing() {
    let hooks = Hooks::new().await;
    let (lost, other) = (Receiver::start().await, hooks.endpoint(&["*"]).await);
    let endpoint = hooks.endpoint_at(&lost.url(), &["*"]).await;
    sqlx::query("UPDATE webhook_secrets SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE endpoint_id = $1::uuid")
        .bind(&endpoint.id)
        .execute(&hooks.world.db.pool)
        .await
        .unwrap();
    let service = hooks.sending().await;
    hooks.happens("wallet.credited").await;
    hooks.until(&other, "delivered", 1).await;
    let failed = hooks.tried(&endpoint, 1).await;
    assert_eq!(failed["log"][0]["error"], "there is no secret to sign it with");
    assert!(lost.got().is_empty());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_for_which_too_much_waits_is_disabled() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    hooks.receiver.always(Reply::Status(500));
    for rows in ["99999", "1"] {
        let fill = format!(
            "WITH new AS (INSERT INTO webhook_messages (id, event_type, occurred_at, payload, received_at)
                          SELECT gen_random_uuid(), 'wallet.credited', now(), '{{}}', now() FROM generate_series(1, {rows}) RETURNING id)
             INSERT INTO webhook_deliveries (id, endpoint_id, message_id, event_type, status, created_at, next_attempt_at)
             SELECT gen_random_uuid(), $1::uuid, id, 'wallet.credited', 'pending', now(), now() + interval '1 day' FROM new"
        );
        let fill = sqlx::query(sqlx::AssertSqlSafe(fill)).bind(&endpoint.id);
        fill.execute(&hooks.world.db.pool).await.unwrap();
        // It tidies up when it starts.
        let service = hooks.sending().await;
        if rows == "1" {
            eventually("disabled", async || {
                (hooks.get(&endpoint.path).await["status"] == "disabled").then_some(())
            })
            .await;
        }
        service.stop().await;
    }
    let disabled = hooks.get(&endpoint.path).await;
    assert_eq!(disabled["disabledReason"], "100,000 events waited for it.");
    assert_eq!(hooks.published().await.pop().unwrap().0, "admin.webhook_endpoint.disabled");
}
