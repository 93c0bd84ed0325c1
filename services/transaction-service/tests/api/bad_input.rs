//! What does not fit is refused in a way that a client can act on, and leaves its key unused.

use axum::{
    body::Body,
    http::{Request, StatusCode, header},
};
use common_utils::ids;
use serde_json::{Value, json};

use crate::support::{Customer, TRANSACTIONS, TRANSFERS, World, between, naira, read, request};

/// The body with this part replaced; a part is named as in a refusal.
fn with(body: &Value, path: &str, value: Value) -> Value {
    let mut changed = body.clone();
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut changed;
    for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
        place = &mut place[parent];
    }
    place[name] = value;
    changed
}

async fn raw(world: &World, sender: &Customer, body: &str) -> crate::support::Answer {
    let request = request("POST", TRANSFERS, &sender.token)
        .header("idempotency-key", "the-key")
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    world.send(request).await
}

#[tokio::test]
async fn each_misfit_names_its_field_and_leaves_the_key_unused() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let good = between(&ada, &bola, 100);
    let cases = [
        ("amount.amount", json!(0), "amount.amount out_of_range"),
        ("amount.amount", json!(-5), "amount.amount out_of_range"),
        ("amount.amount", json!(1.5), "amount.amount wrong_type"),
        ("amount.amount", json!("100"), "amount.amount wrong_type"),
        ("amount.amount", json!(null), "amount.amount wrong_type"),
        ("amount.amount", json!(u64::MAX), "amount.amount out_of_range"),
        ("amount.currency", json!("XXQ"), "amount.currency out_of_range"),
        ("amount.currency", json!("ngn"), "amount.currency out_of_range"),
        ("amount.currency", json!(566), "amount.currency wrong_type"),
        ("amount", json!(100), "amount wrong_type"),
        ("amount.more", json!(1), "amount.more unknown_field"),
        ("more", json!(1), "more unknown_field"),
        ("fromWalletId", json!("x"), "fromWalletId out_of_range"),
        ("fromWalletId", json!(null), "fromWalletId wrong_type"),
        ("to", json!({}), "to invalid"),
        ("to", json!({"walletId": bola.wallet, "email": "a@example.com"}), "to invalid"),
        ("to", json!({"userId": bola.person.id}), "to.userId unknown_field"),
        ("to", json!("bola"), "to wrong_type"),
        ("to", json!({"walletId": "\0"}), "to.walletId out_of_range"),
        ("to", json!({"accountNumber": "12345"}), "to.accountNumber invalid"),
        ("to", json!({"accountNumber": "123456789\0"}), "to.accountNumber out_of_range"),
        ("to", json!({"accountNumber": "１２３４５６７８９０"}), "to.accountNumber invalid"),
        ("to", json!({"phoneNumber": "12"}), "to.phoneNumber invalid"),
        ("to", json!({"phoneNumber": "+2348031234567\0"}), "to.phoneNumber out_of_range"),
        ("to", json!({"email": "bola"}), "to.email invalid"),
        ("to", json!({"email": "bo\0la@example.com"}), "to.email out_of_range"),
        ("narration", json!("x".repeat(101)), "narration invalid"),
        ("narration", json!("a\0b"), "narration out_of_range"),
        ("narration", json!("a\nb"), "narration invalid"),
        ("narration", json!(7), "narration wrong_type"),
    ];
    for (path, value, field) in cases {
        let refused = world.transfer(&ada, "the-key", &with(&good, path, value.clone())).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {value}: {}", refused.body);
        assert_eq!(
            (refused.code(), refused.fields()),
            ("validation_failed", vec![field.to_owned()]),
            "{value}"
        );
        assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    }
    let made = world.transfer(&ada, "the-key", &good).await;
    assert_eq!((made.status, made.replayed()), (StatusCode::CREATED, false));
    assert_eq!(world.statuses().await, ["completed"]);
}

#[tokio::test]
async fn everything_wrong_is_named_at_once() {
    let world = World::new().await;
    let ada = world.customer("Ada", "Obi");
    let mut body = naira(ada.wallet, &json!({"email": "x"}), 0);
    body["narration"] = json!("\u{7}");
    let refused = world.transfer(&ada, "k", &body).await;
    assert_eq!(refused.fields(), ["to.email invalid", "amount.amount out_of_range", "narration invalid"]);
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let world = World::new().await;
    let ada = world.customer("Ada", "Obi");
    for body in ["", "{", "not json", "{\"fromWalletId\":}", "[1"] {
        let refused = raw(&world, &ada, body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "malformed_request"), "{body:?}");
    }
    for body in ["[]", "null", "7", "\"x\""] {
        assert_eq!(raw(&world, &ada, body).await.code(), "validation_failed", "{body:?}");
    }
}

#[tokio::test]
async fn rules_between_the_parties_leave_the_key_unused() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let (dollars, _) = world.open_wallet(&ada.person, "USD", 500);
    let (their_dollars, _) = world.open_wallet(&bola.person, "USD", 500);
    let to = |wallet| json!({"walletId": wallet});
    let cases = [
        (between(&ada, &ada, 1), "same_wallet"),
        (naira(ada.wallet, &json!({"email": ada.person.email}), 1), "same_wallet"),
        (naira(dollars, &to(bola.wallet), 1), "currency_mismatch"),
        (naira(ada.wallet, &to(their_dollars), 1), "currency_mismatch"),
        (with(&between(&ada, &bola, 1), "amount.currency", json!("USD")), "currency_mismatch"),
        (with(&between(&ada, &bola, 1), "amount.currency", json!("JPY")), "unsupported_currency"),
        (naira(ada.wallet, &to(ids::new_id()), 1), "recipient_not_found"),
        (naira(ada.wallet, &json!({"accountNumber": "0000000000"}), 1), "recipient_not_found"),
        (naira(ada.wallet, &json!({"phoneNumber": "+447400123456"}), 1), "recipient_not_found"),
        (naira(ada.wallet, &json!({"email": "nobody@example.com"}), 1), "recipient_not_found"),
    ];
    for (body, code) in cases {
        let refused = world.transfer(&ada, "the-key", &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, code), "{body}");
    }
    assert_eq!(world.transfer(&ada, "the-key", &between(&ada, &bola, 1)).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_is_required_and_has_a_shape() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let body = between(&ada, &bola, 1).to_string();
    let build = |key: Option<&str>| {
        let request = request("POST", TRANSFERS, &ada.token).header("content-type", "application/json");
        let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
        request.body(Body::from(body.clone())).unwrap()
    };
    let missing = world.send(build(None)).await;
    assert_eq!((missing.status.as_u16(), missing.code()), (400, "idempotency_key_required"));
    for wrong in [String::new(), "a\tb".to_owned(), "x".repeat(256)] {
        let refused = world.send(build(Some(&wrong))).await;
        assert_eq!(refused.fields(), ["Idempotency-Key invalid"], "{wrong:?}");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_gets_nowhere() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stranger = Customer { token: "not.a.token".to_owned(), ..ada.clone() };
    let refused = world.transfer(&stranger, "k", &between(&ada, &bola, 1)).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (401, "unauthenticated"));
    // Another service's token is no person's.
    let service = Customer { token: world.services.mint("admin-service").unwrap(), ..ada.clone() };
    assert_eq!(
        world.transfer(&service, "k", &between(&ada, &bola, 1)).await.status,
        StatusCode::UNAUTHORIZED
    );
    let anonymous = Request::get(TRANSACTIONS).body(Body::empty()).unwrap();
    assert_eq!(world.send(anonymous).await.status, StatusCode::UNAUTHORIZED);
    world.advance(200_000);
    assert_eq!(world.get(&ada.token, TRANSACTIONS).await.code(), "token_expired");
}

#[tokio::test]
async fn large_bodies_other_media_and_other_methods_are_refused() {
    let world = World::new().await;
    let ada = world.customer("Ada", "Obi");
    let large = format!("{{\"narration\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    let refused = raw(&world, &ada, &large).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (413, "payload_too_large"));

    let text =
        request("POST", TRANSFERS, &ada.token).header("idempotency-key", "k").body(Body::from("{}")).unwrap();
    let refused = world.send(text).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (415, "unsupported_media_type"));

    let wrong = request("PUT", TRANSFERS, &ada.token).body(Body::empty()).unwrap();
    let refused = read(tower::ServiceExt::oneshot(world.router.clone(), wrong).await.unwrap()).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (405, "method_not_allowed"));
    assert_eq!(refused.headers[header::ALLOW], "POST");
}
