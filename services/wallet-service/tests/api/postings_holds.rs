//! Holds over HTTP: placed, captured, released, ended by the clock.

use chrono::TimeDelta;
use common_utils::ids::{TransactionId, UserId, WalletId};
use serde_json::{Value, json};

use crate::support::{
    World,
    postings::{
        capture, capture_all, capture_and_release, hold, naira, outcomes, pay, platform, posting, release,
        replayed, share, wallet, with,
    },
};

const BANK: &str = "provider_settlement:providus";

async fn standing(world: &World, wallet: WalletId) -> (i64, i64) {
    (world.balance(wallet).await, world.held(wallet).await)
}

#[tokio::test]
async fn a_hold_is_captured_part_by_part() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let held = hold(ada, 60);
    world.is_posted(&held).await;
    assert_eq!(standing(&world, ada).await, (100, 60));
    let balance = world.get(user, &format!("/api/v1/wallet/wallets/{ada}/balance")).await.body;
    assert_eq!((&balance["held"], &balance["available"]), (&json!(60), &json!(40)));
    // What is set aside is not spent otherwise.
    let refusal = world.refusal_of(&pay(ada, bola, 41)).await;
    assert_eq!(refusal, json!({ "code": "insufficient_funds", "walletId": ada, "missing": 1 }));

    let first = capture(&held, &[share(&wallet(bola), 20), share(&platform("fee"), 5)]);
    world.is_posted(&first).await;
    assert_eq!(standing(&world, ada).await, (75, 35));
    let last = capture_all(&held, &platform(BANK));
    world.is_posted(&last).await;
    assert_eq!((standing(&world, ada).await, world.balance(bola).await), ((40, 0), 20));
    let late = world.post_list(&[capture_all(&held, &platform(BANK)), release(&held)]).await;
    assert_eq!(outcomes(&late), ["hold_closed", "hold_closed"]);

    let told: Vec<Value> = world.events(ada).await.into_iter().skip(2).collect();
    let told: Vec<_> = told
        .iter()
        .map(|event| (event["type"].as_str().unwrap(), event["data"]["amount"]["amount"].as_i64().unwrap()))
        .collect();
    let expected = [
        ("wallet.hold.placed", 60),
        ("wallet.debited", 20),
        ("wallet.debited", 5),
        ("wallet.hold.captured", 60),
        ("wallet.debited", 35),
        ("wallet.hold.captured", 60),
    ];
    assert_eq!(told, expected);
    world.stands_by(&[held, first, last]).await;
    assert_eq!(standing(&world, ada).await, (40, 0));
    world.verify().await;
}

#[tokio::test]
async fn a_hold_is_placed_and_captured_in_one_list() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (whole, part) = (hold(ada, 60), hold(ada, 40));
    let list = [
        capture_all(&whole, &wallet(bola)),
        whole.clone(),
        capture_all(&whole, &wallet(bola)),
        part.clone(),
        capture_and_release(&part, &[share(&wallet(bola), 1)]),
        release(&part),
    ];
    let answer = world.post_list(&list).await;
    let expected = ["hold_not_found", "posted", "posted", "posted", "posted", "hold_closed"];
    assert_eq!(outcomes(&answer), expected);
    assert_eq!((standing(&world, ada).await, world.balance(bola).await), ((39, 0), 61));
    world.stands_by(&list).await;
    world.verify().await;
}

#[tokio::test]
async fn what_is_released_is_available_again() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (one, other) = (hold(ada, 30), hold(ada, 70));
    world.all_posted(&[one.clone(), other.clone()]).await;
    assert_eq!(world.refusal_of(&pay(ada, bola, 1)).await["missing"], 1);
    let back = release(&one);
    world.is_posted(&back).await;
    assert_eq!(standing(&world, ada).await, (100, 70));
    // The rest of a capture, too, and only when it is told so.
    world.all_posted(&[capture(&other, &[share(&wallet(bola), 10)])]).await;
    assert_eq!(standing(&world, ada).await, (90, 60));
    world.all_posted(&[capture_and_release(&other, &[share(&wallet(bola), 10)]), pay(ada, bola, 80)]).await;
    assert_eq!((standing(&world, ada).await, world.balance(bola).await), ((0, 0), 100));
    world.stands_by(&[back]).await;
    world.verify().await;
}

#[tokio::test]
async fn the_clock_ends_a_hold() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let held = hold(ada, 60);
    let first = capture(&held, &[share(&wallet(bola), 10)]);
    world.all_posted(&[held.clone(), first.clone()]).await;
    world.clock.advance(TimeDelta::hours(1) - TimeDelta::microseconds(1));
    world.all_posted(&[capture(&held, &[share(&wallet(bola), 10)])]).await;
    world.clock.advance(TimeDelta::microseconds(1));
    let late = [capture_all(&held, &wallet(bola)), release(&held), hold(ada, 1), pay(ada, bola, 80)];
    let answer = world.post_list(&late).await;
    assert_eq!(outcomes(&answer), ["hold_expired", "hold_expired", "hold_expired", "posted"]);
    let refusal = &answer.body["results"][0]["refusal"];
    assert_eq!(*refusal, json!({ "code": "hold_expired", "walletId": ada, "missing": null }));
    assert_eq!((standing(&world, ada).await, world.balance(bola).await), ((0, 0), 100));
    // What was decided in time stands.
    world.stands_by(&[held, first]).await;
    world.stands_by(&late).await;
    world.verify().await;
}

#[tokio::test]
async fn holds_are_refused_each_for_its_reason() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let dollars = world.wallet(UserId::new(), "USD").await;
    let nobody = WalletId::new();
    let held = hold(ada, 60);
    world.is_posted(&held).await;
    let in_dollars = with(hold(ada, 1), "/hold/amount/currency", json!("USD"));
    let all_in_dollars = with(capture_all(&held, &wallet(dollars)), "/capture/all/currency", json!("USD"));
    let unknown = json!({ "id": TransactionId::new() });
    for (posting, code, wallet_id, missing) in [
        (hold(ada, 41), "insufficient_funds", Some(ada), Some(1)),
        (hold(nobody, 1), "account_not_found", Some(nobody), None),
        (in_dollars, "currency_mismatch", Some(ada), None),
        (capture_all(&unknown, &platform("fee")), "hold_not_found", None, None),
        (release(&unknown), "hold_not_found", None, None),
        // A posting that is no hold.
        (release(&pay(ada, ada, 1)), "hold_not_found", None, None),
        (capture(&held, &[share(&platform("fee"), 61)]), "hold_exceeded", Some(ada), Some(1)),
        (
            capture(&held, &[share(&platform("fee"), 60), share(&platform("tax"), i64::MAX)]),
            "hold_exceeded",
            Some(ada),
            Some(i64::MAX),
        ),
        (capture_all(&held, &wallet(ada)), "same_account", Some(ada), None),
        (capture_all(&held, &wallet(nobody)), "account_not_found", Some(nobody), None),
        (capture_all(&held, &wallet(dollars)), "currency_mismatch", Some(dollars), None),
        (all_in_dollars, "currency_mismatch", Some(ada), None),
    ] {
        let refusal = world.refusal_of(&posting).await;
        let expected = json!({ "code": code, "walletId": wallet_id, "missing": missing });
        assert_eq!(refusal, expected, "{posting}");
        world.stands_by(&[posting]).await;
    }
    assert_eq!(standing(&world, ada).await, (100, 60));
    world.verify().await;
}

#[tokio::test]
async fn what_is_content_of_a_hold_cannot_change_under_its_id() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(100).await;
    let held = hold(ada, 60);
    let taken = capture(&held, &[share(&wallet(bola), 10)]);
    let list = [held.clone(), taken.clone()];
    world.all_posted(&list).await;
    let mut releasing = taken.clone();
    releasing["capture"]["releaseRest"] = json!(true);
    for other in [
        with(held.clone(), "/hold/amount", naira(61)),
        with(held.clone(), "/hold/walletId", json!(bola)),
        with(held.clone(), "/hold/expiresAt", json!("2026-01-01T13:00:00.000001Z")),
        with(taken.clone(), "/capture/holdId", json!(TransactionId::new())),
        with(taken.clone(), "/capture/to/0/amount", naira(11)),
        with(taken.clone(), "/capture/to/0/account", platform("fee")),
        with(taken.clone(), "/type", json!("fee")),
        releasing,
        with(posting("hold", "hold", &held["hold"]), "/id", taken["id"].clone()),
    ] {
        assert_eq!(world.refusal_of(&other).await["code"], "content_mismatch", "{other}");
    }
    // The same moment, written another way, and a false that was left out, are no change.
    let elsewhere = with(held.clone(), "/hold/expiresAt", json!("2026-01-01T14:00:00+01:00"));
    let mut keeping = taken.clone();
    keeping["capture"]["releaseRest"] = json!(false);
    assert_eq!(replayed(&world.post_list(&[elsewhere, keeping]).await), [true, true]);
    assert_eq!(standing(&world, ada).await, (90, 50));
    world.verify().await;
}

/// Of each event about a hold: its type, status, what was captured, what is left, and the posting that did it.
async fn told_of_holds(world: &World, wallet: WalletId) -> Vec<(String, String, i64, i64, Value)> {
    let events = world.events(wallet).await;
    let holds = events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("wallet.hold."));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    holds
        .map(|event| {
            let data = &event["data"];
            let (captured, remaining) = (&data["captured"], &data["remaining"]);
            (
                text(&event["type"]),
                text(&data["status"]),
                captured.as_i64().unwrap(),
                remaining.as_i64().unwrap(),
                data["transactionId"].clone(),
            )
        })
        .collect()
}

#[tokio::test]
async fn each_step_of_a_hold_is_told_as_it_was() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (taken, freed, forgotten) = (hold(ada, 50), hold(ada, 30), hold(ada, 20));
    let part = capture(&taken, &[share(&platform("fee"), 20)]);
    let rest = capture_all(&taken, &platform("fee"));
    let back = release(&freed);
    // All in one list: what is told is each step, and not how it ended.
    world.all_posted(&[taken.clone(), part.clone(), rest.clone(), freed.clone(), back.clone()]).await;
    world.is_posted(&forgotten).await;
    world.clock.advance(TimeDelta::days(400));
    world.ledger().expire_overdue().await.unwrap();
    let step = |kind: &str, status: &str, captured, remaining, by: &Value| {
        (format!("wallet.hold.{kind}"), status.to_owned(), captured, remaining, by["id"].clone())
    };
    let expected = [
        step("placed", "held", 0, 50, &taken),
        step("captured", "held", 20, 30, &part),
        step("captured", "captured", 50, 0, &rest),
        step("placed", "held", 0, 30, &freed),
        step("released", "released", 0, 0, &back),
        step("placed", "held", 0, 20, &forgotten),
        step("expired", "expired", 0, 0, &Value::Null),
    ];
    assert_eq!(told_of_holds(&world, ada).await, expected);
}
