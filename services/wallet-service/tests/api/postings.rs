//! `POST /internal/v1/postings`: the contract with other services.

use axum::http::{Method, StatusCode};
use common_utils::ids::{TransactionId, UserId, WalletId};
use serde_json::{Value, json};

use crate::support::{World, request};

const PATH: &str = "/internal/v1/postings";

fn body(id: TransactionId, from: WalletId, to: WalletId, amount: i64) -> Value {
    json!({
        "id": id, "type": "transfer", "description": "Lunch",
        "legs": [{
            "debit": { "walletId": from }, "credit": { "walletId": to },
            "amount": { "amount": amount, "currency": "NGN" }
        }]
    })
}

#[tokio::test]
async fn results_come_in_the_order_given_each_with_its_outcome() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (first, second) = (TransactionId::new(), TransactionId::new());
    let list = json!({ "postings": [body(second, ada, bola, 101), body(first, ada, bola, 40)] });
    let answer = world.internal_post(PATH, &list).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let expected = json!({ "results": [
        {
            "id": second, "outcome": "refused", "replayed": false, "postedAt": "2026-01-01T12:00:00Z",
            "refusal": { "code": "insufficient_funds", "walletId": ada, "missing": 1 }
        },
        {
            "id": first, "outcome": "posted", "replayed": false, "postedAt": "2026-01-01T12:00:00Z",
            "refusal": null
        },
    ] });
    assert_eq!(answer.body, expected);
    let again = world.internal_post(PATH, &list).await;
    assert_eq!(again.body["results"][0]["refusal"], expected["results"][0]["refusal"]);
    assert_eq!(again.body["results"][1]["replayed"], true);
    assert_eq!(world.balance(bola).await, 40);
    world.verify().await;
}

#[tokio::test]
async fn fees_go_to_the_platform_and_the_provider_is_named_in_the_event() {
    let world = World::open().await;
    let (_, ada) = world.person_with(0).await;
    let mut deposit = json!({
        "id": TransactionId::new(), "type": "deposit", "description": "Deposit",
        "providerReference": "XP-1", "counterpartyName": "Bola A.",
        "legs": [
            { "debit": { "platform": "provider_settlement:providus" }, "credit": { "walletId": ada },
              "amount": { "amount": 10_000, "currency": "NGN" } },
            { "debit": { "walletId": ada }, "credit": { "platform": "fee" },
              "amount": { "amount": 50, "currency": "NGN" } }
        ]
    });
    let answer = world.internal_post(PATH, &json!({ "postings": [deposit] })).await;
    assert_eq!(answer.body["results"][0]["outcome"], "posted", "{answer:?}");
    assert_eq!(world.balance(ada).await, 9_950);
    let events = world.events(ada).await;
    assert_eq!(events[1]["data"]["providerReference"], "XP-1");
    assert_eq!(events[1]["data"]["counterpartyName"], "Bola A.");
    assert_eq!(events[1]["actor"], "service:transaction-service");
    // What is only told beside it does not make it another posting.
    deposit["counterpartyName"] = json!("BOLA A");
    let again = world.internal_post(PATH, &json!({ "postings": [deposit] })).await;
    assert_eq!(again.body["results"][0]["replayed"], true);
    world.verify().await;
}

#[tokio::test]
async fn one_malformed_posting_stops_the_list_before_anything_is_written() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let good = || body(TransactionId::new(), ada, bola, 1);
    let with = |pointer: &str, value: Value| {
        let mut wrong = good();
        *wrong.pointer_mut(pointer).unwrap() = value;
        wrong
    };
    let leg = good()["legs"][0].clone();
    let cases = [
        (with("/legs/0/amount/amount", json!(0)), "postings[1].legs[0].amount.amount"),
        (with("/legs/0/amount/amount", json!(-5)), "postings[1].legs[0].amount.amount"),
        (with("/legs/0/amount/amount", json!(1.5)), "postings[1].legs[0].amount.amount"),
        (
            with("/legs/0/amount/amount", json!(9_223_372_036_854_775_808_u64)),
            "postings[1].legs[0].amount.amount",
        ),
        (with("/legs/0/amount/amount", json!("1")), "postings[1].legs[0].amount.amount"),
        (with("/legs/0/amount/currency", json!("XXQ")), "postings[1].legs[0].amount.currency"),
        (with("/legs/0/credit", json!({ "walletId": ada })), "postings[1].legs[0].credit"),
        (with("/legs/0/credit", json!({ "platform": "casino" })), "postings[1].legs[0].credit.platform"),
        (with("/legs/0/credit", json!({ "walletId": "me" })), "postings[1].legs[0].credit.walletId"),
        (with("/legs/0/credit", json!({})), "postings[1].legs[0].credit"),
        (with("/legs/0/credit", json!({ "walletId": ada, "platform": "fee" })), "postings[1].legs[0].credit"),
        (with("/legs/0/credit", json!({ "who": ada })), "postings[1].legs[0].credit.who"),
        (with("/legs/0/credit", json!("fee")), "postings[1].legs[0].credit"),
        (with("/legs", json!([])), "postings[1].legs"),
        (with("/legs", json!(vec![leg.clone(); 501])), "postings[1].legs"),
        (with("/type", json!("gift")), "postings[1].type"),
        (with("/description", json!("a\0b")), "postings[1].description"),
        (with("/description", json!("x".repeat(201))), "postings[1].description"),
        (with("/id", json!("one")), "postings[1].id"),
    ];
    for (wrong, field) in cases {
        let answer = world.internal_post(PATH, &json!({ "postings": [good(), wrong] })).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"), "{field}: {answer:?}");
        assert_eq!(answer.fields(), [field], "{answer:?}");
    }
    for list in [json!([]), json!(vec![good(); 1_001])] {
        let answer = world.internal_post(PATH, &json!({ "postings": list })).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), vec!["postings"]));
    }
    let two = json!({ "postings": [with("/legs/0/amount/amount", json!(0)), with("/legs", json!([]))] });
    let answer = world.internal_post(PATH, &two).await;
    assert_eq!(answer.fields(), ["postings[0].legs[0].amount.amount", "postings[1].legs"]);
    assert_eq!((world.balance(ada).await, world.count("postings").await), (100, 1));
}

#[tokio::test]
async fn a_thousand_postings_go_in_one_call() {
    let world = World::open().await;
    let (_, ada) = world.person_with(1_000).await;
    let (_, bola) = world.person_with(0).await;
    let list: Vec<_> = (0..1_000).map(|_| body(TransactionId::new(), ada, bola, 1)).collect();
    let answer = world.internal_post(PATH, &json!({ "postings": list })).await;
    let results = answer.body["results"].as_array().unwrap();
    assert!(results.len() == 1_000 && results.iter().all(|result| result["outcome"] == "posted"));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (0, 1_000));
    world.verify().await;
}

#[tokio::test]
async fn only_services_may_call() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let list = json!({ "postings": [body(TransactionId::new(), ada, WalletId::new(), 1)] });
    let customers = world.token(user);
    let expired = {
        let token = world.service_token();
        world.clock.advance(chrono::TimeDelta::minutes(2));
        token
    };
    for token in [customers.as_str(), expired.as_str(), "x", ""] {
        for (method, path, body) in [
            (Method::POST, PATH.to_owned(), Some(&list)),
            (Method::GET, format!("/internal/v1/wallets/{ada}"), None),
            (Method::GET, format!("/internal/v1/wallets?userId={}", UserId::new()), None),
            (Method::POST, format!("/internal/v1/wallets/{ada}/freeze"), Some(&list)),
            (Method::POST, format!("/internal/v1/wallets/{ada}/unfreeze"), Some(&list)),
            (Method::POST, format!("/internal/v1/wallets/{ada}/close"), Some(&list)),
            (Method::PUT, format!("/internal/v1/wallets/{ada}/bounds"), Some(&list)),
        ] {
            let answer = world.send(request(method, &path, token, body)).await;
            assert_eq!(answer.refusal(), (401, "unauthenticated"), "{path}");
        }
    }
    assert_eq!(world.count("postings").await, 1);
}

#[tokio::test]
async fn each_service_may_call_what_it_has_a_use_for() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let list = json!({ "postings": [body(TransactionId::new(), ada, WalletId::new(), 1)] });
    let order = json!({ "reason": "fraud", "actorId": WalletId::new().uuid() });
    let wallet = format!("/internal/v1/wallets/{ada}");
    for (service, method, path, body) in [
        ("admin-service", Method::POST, PATH.to_owned(), &list),
        ("identity-service", Method::POST, PATH.to_owned(), &list),
        ("transaction-service", Method::POST, format!("{wallet}/freeze"), &order),
        ("transaction-service", Method::POST, format!("{wallet}/unfreeze"), &order),
        ("transaction-service", Method::POST, format!("{wallet}/close"), &order),
        ("transaction-service", Method::PUT, format!("{wallet}/bounds"), &order),
    ] {
        let token = world.services.mint(service).unwrap();
        let answer = world.send(request(method, &path, &token, Some(body))).await;
        assert_eq!(answer.refusal(), (403, "forbidden"), "{service} {path}");
    }
    let token = world.services.mint("identity-service").unwrap();
    let answer = world.send(request(Method::GET, &wallet, &token, None)).await;
    assert_eq!(answer.refusal(), (403, "forbidden"));
    assert_eq!(world.count("postings").await, 1);
    let facts = world.internal_get(&wallet).await;
    assert_eq!(facts.body["status"], "active");
}

#[tokio::test]
async fn internal_calls_are_not_in_the_public_contract() {
    let paths = serde_json::to_value(wallet_service::openapi()).unwrap()["paths"].clone();
    let paths: Vec<&String> = paths.as_object().unwrap().keys().collect();
    assert!(paths.iter().all(|path| path.starts_with("/api/v1/wallet/")), "{paths:?}");
    assert!(paths.iter().any(|path| *path == "/api/v1/wallet/wallets/{id}/entries"), "{paths:?}");
}
