//! `POST /api/v1/transactions/transfers`: money that moves, and what the ledger refuses.

use axum::http::StatusCode;
use common_utils::ids;
use serde_json::json;

use crate::{
    peers::Fault,
    support::{START, TRANSACTIONS, World, between, naira},
};

#[tokio::test]
async fn money_moves_and_both_parties_see_it() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let mut body = between(&ada, &bola, 25_000);
    body["narration"] = json!("  for the bus  ");

    let sent = world.transfer(&ada, "k1", &body).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
    assert!(!sent.replayed());
    let mut expected = json!({
        "id": sent.id(), "type": "transfer", "status": "completed",
        "amount": {"amount": 25_000, "currency": "NGN"}, "fee": {"amount": 0, "currency": "NGN"},
        "fromWalletId": ada.wallet, "toWalletId": bola.wallet, "counterparty": {"name": "Bola A."},
        "narration": "for the bus", "reference": sent.body["reference"], "failure": null,
        "createdAt": START, "completedAt": "2026-03-01T12:00:00.500Z"
    });
    assert_eq!(sent.body, expected);
    let reference = sent.body["reference"].as_str().unwrap();
    assert!(reference.starts_with("TRF-") && reference.len() == 30, "{reference}");
    assert_eq!(world.peers.book().balance(ada.wallet), 75_000);
    assert_eq!(world.peers.book().balance(bola.wallet), 125_000);

    let path = format!("{TRANSACTIONS}/{}", sent.id());
    assert_eq!(world.get(&ada.token, &path).await.body, expected);
    expected["counterparty"] = json!({"name": "Ada O."});
    assert_eq!(world.get(&bola.token, &path).await.body, expected);
}

#[tokio::test]
async fn its_events_tell_who_did_what_under_one_correlation_id() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 25_000)).await;

    let events = world.events().await;
    assert_eq!(world.event_types().await, ["transaction.initiated", "transaction.completed"]);
    for event in &events {
        assert_eq!(event["subject"], format!("transaction/{}", sent.id()));
        assert_eq!(event["source"], "/transaction-service");
        assert_eq!(event["actor"], format!("user:{}", ada.person.id));
        assert_eq!(event["correlationid"], "test-17");
        assert_eq!(event["data"]["fromUserId"], json!(ada.person.id));
        assert_eq!(event["data"]["toUserId"], json!(bola.person.id));
        assert_eq!(event["data"]["amount"], json!({"amount": 25_000, "currency": "NGN"}));
    }
    assert_eq!(events[1]["data"]["status"], "completed");
}

#[tokio::test]
async fn a_recipient_is_found_by_number_phone_or_email() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let local = bola.person.phone.replace("+234", "0");
    let ways = [
        json!({"accountNumber": bola.number}),
        json!({"phoneNumber": bola.person.phone}),
        json!({"phoneNumber": local}),
        json!({"email": bola.person.email}),
        json!({"email": bola.person.email.to_uppercase()}),
        json!({"walletId": bola.wallet, "email": null}),
    ];
    for (index, to) in ways.iter().enumerate() {
        let sent = world.transfer(&ada, &format!("k{index}"), &naira(ada.wallet, to, 100)).await;
        assert_eq!(sent.status, StatusCode::CREATED, "{to}: {}", sent.body);
        assert_eq!(sent.body["toWalletId"], json!(bola.wallet), "{to}");
        assert_eq!(sent.body["counterparty"]["name"], "Bola A.", "{to}");
    }
    assert_eq!(world.peers.book().balance(bola.wallet), 100_600);
}

#[tokio::test]
async fn who_has_no_wallet_in_the_currency_is_not_found() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let (dollars, _) = world.open_wallet(&ada.person, "USD", 500);
    let mut body = naira(dollars, &json!({"email": bola.person.email}), 100);
    body["amount"]["currency"] = json!("USD");
    let refused = world.transfer(&ada, "k1", &body).await;
    assert_eq!(refused.code(), "recipient_not_found");
    // As who is nobody: who is registered shows by what can be sent to alone.
    for nobody in [json!({"email": "nobody@example.com"}), json!({"phoneNumber": "+2348039999999"})] {
        let mut stranger = body.clone();
        stranger["to"] = nobody;
        let answer = world.transfer(&ada, "k0", &stranger).await;
        assert_eq!((answer.code(), &answer.body["detail"]), (refused.code(), &refused.body["detail"]));
        assert_eq!(answer.status, refused.status);
    }

    let (theirs, _) = world.open_wallet(&bola.person, "USD", 0);
    let sent = world.transfer(&ada, "k1", &body).await;
    assert_eq!((sent.status, &sent.body["toWalletId"]), (StatusCode::CREATED, &json!(theirs)));
}

#[tokio::test]
async fn a_name_that_nobody_tells_does_not_stop_the_money() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.peers.book().people.clear();
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 100)).await;
    assert_eq!((sent.status, &sent.body["counterparty"]), (StatusCode::CREATED, &json!(null)));
}

#[tokio::test]
async fn what_the_ledger_refuses_is_told_and_stays_visible_to_the_sender() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let refused = world.transfer(&ada, "k1", &between(&ada, &bola, 100_001)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.code(), "insufficient_funds");
    assert_eq!(refused.body["detail"], "Your wallet holds less than this transfer needs.");
    assert_eq!(world.event_types().await, ["transaction.initiated", "transaction.failed"]);

    let listed = world.get(&ada.token, TRANSACTIONS).await;
    let failed = &listed.body["items"][0];
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["completedAt"], json!(null));
    assert_eq!(
        failed["failure"],
        json!({"code": "insufficient_funds", "message": "Your wallet holds less than this transfer needs."})
    );
    // That the sender lacked the funds is not the recipient's business.
    let path = format!("{TRANSACTIONS}/{}", failed["id"].as_str().unwrap());
    assert_eq!(world.get(&ada.token, &path).await.status, StatusCode::OK);
    assert_eq!(world.get(&bola.token, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&bola.token, TRANSACTIONS).await.body["items"], json!([]));
}

#[tokio::test]
async fn a_frozen_wallet_takes_and_gives_nothing() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world
        .peers
        .book()
        .accounts
        .iter_mut()
        .filter(|one| one.wallet == bola.wallet)
        .for_each(|one| one.frozen = true);
    let into = world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    assert_eq!(
        (into.code(), &into.body["detail"]),
        ("wallet_frozen", &json!("The recipient's wallet is frozen."))
    );
    let out_of = world.transfer(&bola, "k1", &between(&bola, &ada, 1)).await;
    assert_eq!((out_of.code(), &out_of.body["detail"]), ("wallet_frozen", &json!("Your wallet is frozen.")));
}

#[tokio::test]
async fn each_refusal_of_the_ledger_has_its_code() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let codes = [
        ("wallet_closed", "wallet_closed"),
        ("currency_mismatch", "currency_mismatch"),
        ("account_not_found", "wallet_not_found"),
        ("overflow", "limit_exceeded"),
        ("something_new", "transfer_refused"),
    ];
    for (ledgers, ours) in codes {
        world.peers.fail(Fault::Refuse(ledgers));
        let refused = world.transfer(&ada, ours, &between(&ada, &bola, 1)).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, ours));
    }
}

#[tokio::test]
async fn a_wallet_of_somebody_else_cannot_be_sent_from() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    let stolen = world.transfer(&bola, "k1", &between(&ada, &bola, 1)).await;
    let unknown =
        world.transfer(&bola, "k2", &naira(ids::new_id(), &json!({"walletId": bola.wallet}), 1)).await;
    for answer in [&stolen, &unknown] {
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "not_found"));
        assert_eq!(answer.body["detail"], "There is no such wallet.");
    }
    assert!(world.statuses().await.is_empty());
}

#[tokio::test]
async fn without_identity_and_wallet_lookups_an_unknown_recipient_is_unavailable() {
    let world = World::new().await;
    let (ada, bola) = (world.customer("Ada", "Obi"), world.customer("Bola", "Ade"));
    world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    world.peers.book().lookups_down = true;

    // Whose wallets these are is remembered.
    let known = world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await;
    assert_eq!(known.status, StatusCode::CREATED);
    let unknown =
        world.transfer(&ada, "k3", &naira(ada.wallet, &json!({"email": "chi@example.com"}), 1)).await;
    assert_eq!((unknown.status.as_u16(), unknown.code()), (503, "dependency_unavailable"));
    assert!(unknown.retry_after() >= 1);
}
