//! A person's own wallets: opened, listed, and nobody else's.

use axum::http::{Method, StatusCode};
use common_utils::ids::{UserId, WalletId};
use futures::future::join_all;
use serde_json::json;

use crate::support::{World, request};

const PATH: &str = "/api/v1/wallet/wallets";

#[tokio::test]
async fn a_wallet_is_opened_at_zero_and_published() {
    let world = World::open().await;
    let user = UserId::new();
    let answer = world.post(user, PATH, &json!({ "currency": "USD", "name": " Rent " })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let id = answer.body["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "userId": user, "currency": "USD", "name": "Rent", "status": "active", "freeze": null, "isDefault": false,
        "balance": {
            "currency": "USD", "posted": 0, "held": 0, "available": 0, "asOf": "2026-01-01T12:00:00Z"
        },
        "virtualAccounts": [], "createdAt": "2026-01-01T12:00:00Z"
    });
    assert_eq!(answer.body, expected);
    let read = world.get(user, &format!("{PATH}/{id}")).await;
    assert_eq!((read.status, read.body), (StatusCode::OK, expected));
    let events = world.events(id.parse().unwrap()).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["type"], "wallet.created");
    assert_eq!(events[0]["actor"], format!("user:{user}"));
    assert_eq!(events[0]["data"]["name"], "Rent");
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let world = World::open().await;
    let user = UserId::new();
    let cases = [
        (json!({}), "currency"),
        (json!({ "currency": "naira" }), "currency"),
        (json!({ "currency": 566 }), "currency"),
        (json!({ "currency": "XAU" }), "currency"),
        (json!({ "currency": "NGN", "name": "" }), "name"),
        (json!({ "currency": "NGN", "name": "x".repeat(61) }), "name"),
        (json!({ "currency": "NGN", "name": "a\0b" }), "name"),
        (json!({ "currency": "NGN", "name": 7 }), "name"),
        (json!({ "currency": "NGN", "userId": UserId::new() }), "userId"),
        (json!({ "currency": "NGN", "isDefault": true }), "isDefault"),
    ];
    for (body, field) in cases {
        let answer = world.post(user, PATH, &body).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"), "{body}");
        assert_eq!(answer.fields(), [field], "{body}");
    }
    let answer = world.post(user, PATH, &json!({ "currency": "EUR" })).await;
    assert_eq!(answer.refusal(), (422, "unsupported_currency"));
    assert_eq!(world.count("wallets").await, 0);
}

#[tokio::test]
async fn bodies_that_are_no_json_are_refused() {
    let world = World::open().await;
    let token = world.token(UserId::new());
    let send = async |content_type: &str, body: &'static str| {
        let mut request = request(Method::POST, PATH, &token, None);
        request.headers_mut().insert("content-type", content_type.parse().unwrap());
        *request.body_mut() = body.into();
        let answer = world.send(request).await;
        (answer.status.as_u16(), answer.code().to_owned())
    };
    assert_eq!(send("application/json", "{").await, (400, "malformed_request".to_owned()));
    assert_eq!(send("application/json", "").await, (400, "malformed_request".to_owned()));
    assert_eq!(send("text/plain", "{}").await, (415, "unsupported_media_type".to_owned()));
    let large: &'static str = Box::leak(format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20)).into_boxed_str());
    assert_eq!(send("application/json", large).await, (413, "payload_too_large".to_owned()));
}

#[tokio::test]
async fn a_repeated_call_opens_one_wallet() {
    let world = World::open().await;
    let (user, other) = (UserId::new(), UserId::new());
    let body = json!({ "currency": "NGN", "name": "Rent" });
    let first = world.post_with_key(user, PATH, &body, "k1").await;
    let again = world.post_with_key(user, PATH, &body, "\"k1\"").await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.body, again.body);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    let changed = world.post_with_key(user, PATH, &json!({ "currency": "USD" }), "k1").await;
    assert_eq!(changed.refusal(), (422, "idempotency_key_reused"));
    // Keys are the caller's own.
    assert_ne!(world.post_with_key(other, PATH, &body, "k1").await.body["id"], first.body["id"]);
    let misshapen = world.post_with_key(user, PATH, &body, &"x".repeat(256)).await;
    assert_eq!(
        (misshapen.refusal(), misshapen.fields()),
        ((422, "validation_failed"), vec!["Idempotency-Key"])
    );
    assert_eq!(world.count("wallets").await, 2);
}

#[tokio::test]
async fn a_key_remembers_a_refusal_and_not_a_request_that_was_not_valid() {
    let world = World::open().await;
    let user = UserId::new();
    let invalid = world.post_with_key(user, PATH, &json!({ "currency": "EUR", "name": "" }), "k1").await;
    assert_eq!(invalid.refusal(), (422, "validation_failed"));
    let refused = world.post_with_key(user, PATH, &json!({ "currency": "EUR" }), "k1").await;
    assert_eq!(refused.refusal(), (422, "unsupported_currency"));
    let again = world.post_with_key(user, PATH, &json!({ "currency": "EUR" }), "k1").await;
    assert_eq!(again.refusal(), (422, "unsupported_currency"));
    assert_eq!(again.headers["idempotent-replayed"], "true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gets_an_eleventh_wallet_however_fast_they_ask() {
    let world = World::open().await;
    let user = UserId::new();
    world.take_in("identity.user.registered", user).await;
    let body = json!({ "currency": "NGN" });
    let asked = join_all((0..16).map(|_| world.post(user, PATH, &body))).await;
    let opened = asked.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(opened, 9);
    for answer in asked.iter().filter(|answer| answer.status != StatusCode::CREATED) {
        assert_eq!(answer.refusal(), (422, "limit_exceeded"));
    }
    assert_eq!(world.count("wallets").await, 10);
    assert_eq!(world.post(UserId::new(), PATH, &body).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn wallets_are_listed_page_by_page_newest_first() {
    let world = World::open().await;
    let user = UserId::new();
    let mut opened = Vec::new();
    for currency in ["NGN", "USD", "GHS", "KES", "NGN"] {
        opened.push(world.wallet(user, currency).await);
    }
    world.wallet(UserId::new(), "NGN").await;
    let mut listed: Vec<WalletId> = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = world.get(user, &format!("{PATH}?limit=2{after}")).await;
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        listed.extend(items.iter().map(|item| item["id"].as_str().unwrap().parse::<WalletId>().unwrap()));
        cursor = page.body["nextCursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    opened.reverse();
    assert_eq!(listed, opened);
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("limit=99999999999", "limit"),
        ("cursor=!", "cursor"),
        ("cursor=MQ", "cursor"),
        ("colour=red", "colour"),
    ] {
        let answer = world.get(user, &format!("{PATH}?{query}")).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec![field]), "{query}");
    }
}

#[tokio::test]
async fn somebody_elses_wallet_is_as_if_it_were_not_there() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let stranger = UserId::new();
    for path in ["", "/balance", "/balance?at=2026-01-01T12:00:00Z", "/entries"] {
        assert_eq!(world.get(user, &format!("{PATH}/{ada}{path}")).await.status, StatusCode::OK, "{path}");
        let foreign = world.get(stranger, &format!("{PATH}/{ada}{path}")).await;
        let missing = world.get(stranger, &format!("{PATH}/{}{path}", WalletId::new())).await;
        assert_eq!(foreign.refusal(), (404, "not_found"), "{path}");
        assert_eq!(foreign.body["detail"], missing.body["detail"]);
        for id in ["me", "0", "%00", "x%27--"] {
            assert_eq!(
                world.get(user, &format!("{PATH}/{id}{path}")).await.refusal(),
                (404, "not_found"),
                "{id}"
            );
        }
    }
    let listed = world.get(stranger, PATH).await;
    assert_eq!(listed.body, json!({ "items": [], "nextCursor": null }));
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    let token = world.token(user);
    let service = world.service_token();
    for path in [
        PATH.to_owned(),
        format!("{PATH}/{ada}"),
        format!("{PATH}/{ada}/balance"),
        format!("{PATH}/{ada}/entries"),
    ] {
        for wrong in ["", "x", &service, &format!("{token}x")] {
            let answer = world.send(request(Method::GET, &path, wrong, None)).await;
            assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path}");
        }
    }
    world.clock.advance(chrono::TimeDelta::minutes(16));
    let late = world.send(request(Method::GET, PATH, &token, None)).await;
    assert_eq!(late.refusal(), (401, "token_expired"));
    let wrong_method = world.send(request(Method::DELETE, PATH, &token, None)).await;
    assert_eq!(wrong_method.refusal(), (405, "method_not_allowed"));
    assert!(wrong_method.headers.contains_key("allow"));
}

#[tokio::test]
async fn an_account_number_is_shown_once_it_is_issued() {
    let world = World::open().await;
    let (user, ada) = world.person_with(0).await;
    sqlx::query(
        "INSERT INTO virtual_accounts (wallet_id, user_id, provider, next_attempt_at, correlation_id, created_at)
         VALUES ($1, $2, 'providus', now(), 'test', now())",
    )
    .bind(ada.uuid())
    .bind(user.uuid())
    .execute(&world.db.pool)
    .await
    .unwrap();
    let requested = world.get(user, &format!("{PATH}/{ada}")).await;
    assert_eq!(requested.body["virtualAccounts"], json!([]));
    sqlx::query(
        "UPDATE virtual_accounts SET status = 'active', account_number = '9900000001', account_name = 'Ada Obi',
                bank_name = 'Providus Bank', bank_code = '101', issued_at = now()",
    )
    .execute(&world.db.pool)
    .await
    .unwrap();
    let active = world.get(user, &format!("{PATH}/{ada}")).await;
    let expected = json!([{
        "accountNumber": "9900000001", "accountName": "Ada Obi", "bankName": "Providus Bank", "bankCode": "101",
        "provider": "providus", "status": "active"
    }]);
    assert_eq!(active.body["virtualAccounts"], expected);
    let found = world.internal_get("/internal/v1/wallets?accountNumber=9900000001").await;
    assert_eq!(found.body["items"][0]["walletId"], json!(ada));
    assert_eq!(found.body["items"][0]["accountNumbers"], json!(["9900000001"]));
    let unknown = world.internal_get("/internal/v1/wallets?accountNumber=1").await;
    assert_eq!(unknown.body, json!({ "items": [] }));
    let unfit = world.internal_get("/internal/v1/wallets?accountNumber=%00").await;
    assert_eq!((unfit.refusal(), unfit.fields()), ((422, "validation_failed"), vec!["accountNumber"]));
}
