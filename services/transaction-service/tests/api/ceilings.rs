//! How much a stranger's wallet holds is not to be found by trying what it refuses.

use axum::http::StatusCode;
use serde_json::json;

use crate::{
    limits::{rich, today},
    peers::Fault,
    support::{Answer, Customer, World, between, naira},
};

/// In a day, by each sender.
const TOLD: usize = 5;

/// As the ledger's refusal is told.
fn assert_told(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "limit_exceeded"), "{}", answer.body);
    assert_eq!(answer.body["detail"], "The recipient's wallet cannot hold that much.");
    assert!(answer.fields().is_empty());
}

/// In words that say nothing of the wallet, whatever is in it.
fn assert_not_told(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.code()), (422, "limit_exceeded"), "{}", answer.body);
    let words = "Too many of your transfers were refused today because of what their recipients can hold. Try this one again \
                 tomorrow.";
    assert_eq!(answer.body["detail"], words);
    assert!(answer.fields().is_empty());
}

fn asked(world: &World) -> usize {
    world.peers.book().decided.len()
}

/// The sender has tried until nothing more is told of the recipient, who has room again.
async fn try_all(world: &World, sender: &Customer, recipient: &Customer) {
    world.peers.fail(Fault::Full(recipient.wallet));
    for number in 0..TOLD {
        assert_told(
            &world.transfer(sender, &format!("try {number}"), &between(sender, recipient, 1_000)).await,
        );
    }
    world.peers.fail(Fault::None);
}

#[tokio::test]
async fn after_five_refusals_the_ledger_is_not_asked_again() {
    let world = World::new().await;
    let [ada, bola, chi] = ["Ada", "Bola", "Chi"].map(|name| rich(&world, name));
    try_all(&world, &ada, &bola).await;
    let before = asked(&world);
    let sixth = world.transfer(&ada, "sixth", &between(&ada, &bola, 1)).await;
    assert_not_told(&sixth);
    assert_eq!((asked(&world), today(&world, &ada).await), (before, 0));
    assert_eq!(world.statuses().await, ["failed"; TOLD + 1]);
    let told = world.event_types().await;
    assert_eq!(told.iter().filter(|kind| *kind == "transaction.failed").count(), TOLD + 1);
    let again = world.transfer(&ada, "sixth", &between(&ada, &bola, 1)).await;
    assert_eq!((again.status, &again.body, again.replayed()), (sixth.status, &sixth.body, true));

    // It is between these two: others are paid, and are others.
    let paid = world.transfer(&ada, "k1", &between(&ada, &chi, 1_000)).await;
    let by_another = world.transfer(&chi, "k1", &between(&chi, &bola, 500)).await;
    assert_eq!((paid.status, by_another.status), (StatusCode::CREATED, StatusCode::CREATED));
}

#[tokio::test]
async fn all_wallets_of_a_person_are_shut() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    try_all(&world, &ada, &bola).await;
    let (hers, _) = world.open_wallet(&ada.person, "NGN", 1_000);
    let (theirs, _) = world.open_wallet(&bola.person, "NGN", 0);
    assert_not_told(&world.transfer(&ada, "k1", &naira(hers, &json!({"walletId": theirs}), 1)).await);
}

#[tokio::test]
async fn who_tries_with_many_learns_of_each_but_once() {
    let world = World::new().await;
    let [ada, bola, chi] = ["Ada", "Bola", "Chi"].map(|name| rich(&world, name));
    try_all(&world, &ada, &bola).await;
    world.peers.fail(Fault::Full(chi.wallet));
    assert_told(&world.transfer(&ada, "k1", &between(&ada, &chi, 1_000)).await);
    world.peers.fail(Fault::None);
    assert_not_told(&world.transfer(&ada, "k2", &between(&ada, &chi, 1)).await);
}

#[tokio::test]
async fn the_next_day_it_is_asked_again() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    try_all(&world, &ada, &bola).await;
    // It is noon in UTC, and one o'clock in Nigeria.
    world.advance(11 * 3_600 - 1);
    assert_not_told(&world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await);
    world.advance(1);
    let sent = world.transfer(&ada, "k2", &between(&ada, &bola, 1)).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
}

#[tokio::test]
async fn refusals_for_other_reasons_are_not_counted() {
    let world = World::new().await;
    let (ada, bola) = (rich(&world, "Ada"), rich(&world, "Bola"));
    let (savings, _) = world.open_wallet(&ada.person, "NGN", 0);
    for number in 0..=TOLD {
        world.peers.fail(Fault::Refuse("wallet_frozen"));
        let frozen = world.transfer(&ada, &format!("frozen {number}"), &between(&ada, &bola, 1)).await;
        assert_eq!(frozen.code(), "wallet_frozen");
        // Her own, of which she knows what is in it.
        world.peers.fail(Fault::Full(savings));
        let own = naira(ada.wallet, &json!({"walletId": savings}), 1);
        assert_told(&world.transfer(&ada, &format!("own {number}"), &own).await);
    }
    world.peers.fail(Fault::None);
    let sent = world.transfer(&ada, "k1", &between(&ada, &bola, 1)).await;
    assert_eq!(sent.status, StatusCode::CREATED, "{}", sent.body);
}
