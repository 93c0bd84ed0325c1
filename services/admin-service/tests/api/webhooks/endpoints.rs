//! Endpoints: made, shown, changed, disabled, deleted; and who may see what of it.

use common_auth::Role;
use common_utils::ids;
use serde_json::{Value, json};

use super::{ENDPOINTS, Hooks};

#[tokio::test]
async fn an_endpoint_is_made_with_a_secret_that_is_shown_once() {
    let hooks = Hooks::new().await;
    let body = json!({ "url": "http://127.0.0.1:9/hook?token=t", "description": "The ledger of Example",
                       "eventTypes": ["wallet.*", "transaction.completed", "wallet.*"] });
    let made = hooks.post(ENDPOINTS, body).await.expect(201);
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("whsec_"), "{secret}");
    let path = format!("{ENDPOINTS}/{}", made.id());
    let mut shown = hooks.get(&path).await;
    assert_eq!(shown["eventTypes"], json!(["transaction.completed", "wallet.*"]), "each once");
    assert_eq!((&shown["status"], &shown["createdBy"]), (&json!("enabled"), &json!(hooks.admin.id)));
    assert_eq!(shown["url"], "http://127.0.0.1:9/hook?token=t");
    assert_eq!(hooks.get(ENDPOINTS).await["items"], json!([shown]));
    shown["secret"] = json!(secret);
    assert_eq!(shown, made.body, "and nothing else is different");
    let patched = hooks
        .world
        .send(
            "PATCH".parse().unwrap(),
            &path,
            Some(&hooks.admin),
            Some(json!({ "description": "" }).to_string()),
            None,
        )
        .await
        .expect(200);
    for answer in [&hooks.get(ENDPOINTS).await, &hooks.get(&path).await, &patched.body] {
        assert!(!answer.to_string().contains("whsec_"), "{answer}");
    }
    let (kind, event) = hooks.published().await.remove(0);
    assert_eq!(kind, "admin.webhook_endpoint.created");
    assert_eq!(
        (&event["data"]["origin"], &event["actor"]),
        (&json!("http://127.0.0.1:9"), &json!(format!("staff:{}", hooks.admin.id)))
    );
    assert_nowhere_in_the_clear(&hooks, secret).await;
}

/// In no column of the database, and in none of what is published.
async fn assert_nowhere_in_the_clear(hooks: &Hooks, secret: &str) {
    let pool = &hooks.world.db.pool;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(pool)
            .await
            .unwrap();
    assert!(tables.len() > 10);
    let bare = secret.trim_start_matches("whsec_");
    for table in tables {
        let rows =
            sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table} AS t WHERE strpos(t::text, $1) > 0"));
        let found: i64 = sqlx::query_scalar(rows).bind(bare).fetch_one(pool).await.unwrap();
        assert_eq!(found, 0, "{table}");
    }
}

#[tokio::test]
async fn a_call_that_is_repeated_with_its_key_makes_one_endpoint_and_shows_the_same_secret() {
    let hooks = Hooks::new().await;
    let body = json!({ "url": "http://127.0.0.1:9/", "eventTypes": ["*"] });
    let keyed = async |body: &Value| hooks.world.post_keyed(&hooks.admin, ENDPOINTS, body, "k-1").await;
    let first = keyed(&body).await.expect(201);
    let again = keyed(&body).await.expect(201);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body, first.body);
    assert_eq!(hooks.get(ENDPOINTS).await["items"].as_array().unwrap().len(), 1);
    assert_nowhere_in_the_clear(&hooks, first.body["secret"].as_str().unwrap()).await;
    let other = json!({ "url": "http://127.0.0.1:9/other", "eventTypes": ["*"] });
    assert_eq!(keyed(&other).await.refusal(), (422, "idempotency_key_reused", vec![]));
    let path = format!("{ENDPOINTS}/{}", first.id());
    hooks.world.send("DELETE".parse().unwrap(), &path, Some(&hooks.admin), None, None).await.expect(204);
    assert_eq!(keyed(&body).await.expect(201).body["secret"], Value::Null, "it is gone with its endpoint");
}

#[tokio::test]
async fn each_step_is_an_event_of_the_audit_log_and_repeating_it_is_none() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["wallet.*"]).await;
    let patch = async |body: Value| {
        let body = Some(body.to_string());
        hooks.world.send("PATCH".parse().unwrap(), &endpoint.path, Some(&hooks.admin), body, None).await
    };
    for _ in 0..2 {
        patch(json!({ "eventTypes": ["transaction.*"] })).await.expect(200);
        let disabled = hooks.post(&format!("{}/disable", endpoint.path), json!({ "reason": "moving" })).await;
        let disabled = disabled.expect(200).body;
        assert_eq!(
            (&disabled["status"], &disabled["disabledReason"]),
            (&json!("disabled"), &json!("moving"))
        );
        assert_eq!(disabled["disabledBy"], json!(hooks.admin.id));
    }
    for _ in 0..2 {
        let enabled = hooks.post(&format!("{}/enable", endpoint.path), json!({})).await.expect(200).body;
        assert_eq!((&enabled["status"], &enabled["disabledReason"]), (&json!("enabled"), &Value::Null));
    }
    hooks.post(&format!("{}/rotate-secret", endpoint.path), json!({})).await.expect(200);
    let delete = async || {
        hooks.world.send("DELETE".parse().unwrap(), &endpoint.path, Some(&hooks.admin), None, None).await
    };
    delete().await.expect(204);
    assert_eq!(delete().await.refusal(), (404, "not_found", vec![]));
    for path in [endpoint.path.clone(), format!("{}/deliveries", endpoint.path)] {
        assert_eq!(hooks.world.get(&hooks.admin, &path).await.refusal().0, 404, "{path}");
    }
    assert_eq!(hooks.get(ENDPOINTS).await["items"], json!([]));
    let published = hooks.published().await;
    let kinds: Vec<&str> = published.iter().map(|(kind, _)| kind.rsplit('.').next().unwrap()).collect();
    assert_eq!(kinds, ["created", "updated", "disabled", "enabled", "secret_rotated", "deleted"]);
    assert_eq!(published[2].1["data"]["reason"], "moving");
}

#[tokio::test]
async fn each_field_that_does_not_fit_is_named() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "url": "http://127.0.0.1:9/", "eventTypes": ["*"] });
        body[field] = value;
        body
    };
    for (field, value, named) in [
        ("url", json!(""), "url"),
        ("url", json!("example.com"), "url"),
        ("url", json!("ftp://127.0.0.1/"), "url"),
        ("url", json!("http://ada:secret@127.0.0.1/"), "url"),
        ("url", json!("http://127.0.0.1/#top"), "url"),
        ("url", json!(format!("http://127.0.0.1/{}", "x".repeat(2000))), "url"),
        ("url", json!(7), "url"),
        ("description", json!("x".repeat(201)), "description"),
        ("description", json!("two\nlines"), "description"),
        ("eventTypes", json!([]), "eventTypes"),
        ("eventTypes", json!(vec!["*"; 51]), "eventTypes"),
        ("eventTypes", json!(["*", "wallet.exploded"]), "eventTypes[1]"),
        ("eventTypes", json!(["admin.*"]), "eventTypes[0]"),
        ("eventTypes", json!(["wallet"]), "eventTypes[0]"),
        ("secret", json!("whsec_mine"), "secret"),
    ] {
        let answer = hooks.post(ENDPOINTS, with(field, value.clone())).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![named]), "{field} {value}");
        let body = Some(json!({ field: value }).to_string());
        let answer =
            hooks.world.send("PATCH".parse().unwrap(), &endpoint.path, Some(&hooks.admin), body, None).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![named]), "PATCH {field} {value}");
    }
    let answer = hooks.post(ENDPOINTS, with("eventTypes", json!(["wallet.exploded"]))).await;
    let error = &answer.body["errors"][0];
    assert_eq!(error["code"], "unknown_event_type");
    assert!(error["message"].as_str().unwrap().contains("wallet.hold.placed"), "it says what would be right");
    let answer = hooks.post(&format!("{}/disable", endpoint.path), json!({ "reason": "" })).await;
    assert_eq!(answer.refusal(), (422, "validation_failed", vec!["reason"]));
    let resend = format!("{}/resend", endpoint.path);
    let period = json!({ "from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z" });
    for (body, field) in [(json!({}), "from"), (json!({ "from": "yesterday" }), "from"), (period, "to")] {
        assert_eq!(hooks.post(&resend, body).await.refusal(), (422, "validation_failed", vec![field]));
    }
    for (query, field) in [
        ("status=lost", "status"),
        ("limit=0", "limit"),
        ("cursor=x", "cursor"),
        ("messageId=7", "messageId"),
        ("eventType=%00", "eventType"),
        ("sort=asc", "sort"),
    ] {
        let answer = hooks.world.get(&hooks.admin, &format!("{}/deliveries?{query}", endpoint.path)).await;
        assert_eq!(answer.refusal(), (422, "validation_failed", vec![field]), "{query}");
    }
}

#[tokio::test]
async fn there_is_a_bound_on_endpoints_and_on_secrets() {
    let hooks = Hooks::new().await;
    let endpoint = hooks.endpoint(&["*"]).await;
    let rotate = async || hooks.post(&format!("{}/rotate-secret", endpoint.path), json!({})).await;
    for _ in 0..4 {
        rotate().await.expect(200);
    }
    assert_eq!(rotate().await.refusal(), (409, "webhook_secrets_full", vec![]));
    for _ in 1..50 {
        hooks.endpoint(&["*"]).await;
    }
    let body = json!({ "url": "http://127.0.0.1:9/", "eventTypes": ["*"] });
    assert_eq!(hooks.post(ENDPOINTS, body).await.refusal(), (409, "webhook_endpoints_full", vec![]));
    let page = hooks.get(&format!("{ENDPOINTS}?limit=30")).await;
    let next =
        hooks.get(&format!("{ENDPOINTS}?limit=30&cursor={}", page["nextCursor"].as_str().unwrap())).await;
    assert_eq!((page["items"].as_array().unwrap().len(), next["items"].as_array().unwrap().len()), (30, 20));
}

#[tokio::test]
async fn support_is_forbidden_and_a_delivery_of_another_endpoint_is_not_found() {
    let hooks = Hooks::new().await;
    let (one, other) = (hooks.endpoint(&["*"]).await, hooks.endpoint(&["*"]).await);
    let support = hooks.world.person(Role::Support);
    assert_eq!(hooks.world.get(&support, ENDPOINTS).await.refusal(), (403, "forbidden", vec![]));
    let test = hooks.post(&format!("{}/test", one.path), json!({})).await.expect(200);
    let delivery = test.id();
    hooks.get(&format!("{}/deliveries/{delivery}", one.path)).await;
    for path in [
        format!("{}/deliveries/{delivery}", other.path),
        format!("{}/deliveries/{}", one.path, ids::new_id()),
        format!("{ENDPOINTS}/{}", ids::new_id()),
    ] {
        assert_eq!(
            hooks.world.get(&hooks.admin, &path).await.refusal(),
            (404, "not_found", vec![]),
            "{path}"
        );
    }
    let path = format!("{}/deliveries/{delivery}/resend", other.path);
    assert_eq!(hooks.post(&path, json!({})).await.refusal(), (404, "not_found", vec![]));
}
