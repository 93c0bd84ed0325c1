//! What is malformed in holds, captures, releases, reversals and refunds is named, and stops the list.

use common_utils::ids::{TransactionId, WalletId};
use serde_json::{Value, json};

use crate::support::{
    World,
    postings::{
        PATH, capture, capture_all, hold, leg, naira, pay, platform, posting, refund, release, reverse,
        share, wallet, with,
    },
};

/// The posting without this field.
fn without(mut posting: Value, pointer: &str) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    posting.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field);
    posting
}

/// The posting with one field more.
fn and(mut posting: Value, pointer: &str, value: Value) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    posting.pointer_mut(parent).unwrap()[field] = value;
    posting
}

/// Each with the fields that are named, from the posting on.
async fn refused(world: &World, good: Value, cases: Vec<(Value, Vec<&str>)>) {
    for (wrong, fields) in cases {
        let answer = world.internal_post(PATH, &json!({ "postings": [good, wrong] })).await;
        assert_eq!(answer.refusal(), (422, "validation_failed"), "{wrong}: {answer:?}");
        let named: Vec<String> = fields.iter().map(|field| format!("postings[1].{field}")).collect();
        assert_eq!(answer.fields(), named, "{wrong}: {answer:?}");
    }
    assert_eq!(world.count("postings").await, 1);
}

#[tokio::test]
async fn a_posting_does_one_thing_and_has_its_type() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let bola = WalletId::new();
    let (held, paid) = (hold(ada, 1), pay(ada, bola, 1));
    let legs = paid["legs"].clone();
    let kind = |posting: &Value, kind: &str| with(posting.clone(), "/type", json!(kind));
    let fee = [share(&platform("fee"), 1)];
    let cases = vec![
        (without(paid.clone(), "/legs"), vec!["legs"]),
        (and(paid.clone(), "/legs", Value::Null), vec!["legs"]),
        (and(held.clone(), "/legs", legs.clone()), vec!["hold"]),
        (and(release(&held), "/reverse", reverse(&paid)["reverse"].clone()), vec!["reverse"]),
        (
            and(
                and(paid.clone(), "/hold", held["hold"].clone()),
                "/refund",
                refund(&paid, &fee)["refund"].clone(),
            ),
            vec!["hold", "refund"],
        ),
        (and(paid.clone(), "/lend", json!({})), vec!["lend"]),
        (kind(&paid, "hold"), vec!["type"]),
        (kind(&paid, "release"), vec!["type"]),
        (kind(&paid, "reversal"), vec!["type"]),
        (kind(&paid, "refund"), vec!["type"]),
        (kind(&held, "transfer"), vec!["type"]),
        (kind(&held, "release"), vec!["type"]),
        (kind(&capture_all(&held, &platform("fee")), "hold"), vec!["type"]),
        (kind(&capture(&held, &fee), "refund"), vec!["type"]),
        (kind(&release(&held), "hold"), vec!["type"]),
        (kind(&reverse(&paid), "refund"), vec!["type"]),
        (kind(&refund(&paid, &fee), "reversal"), vec!["type"]),
        (kind(&with(held.clone(), "/hold/amount", naira(0)), "fee"), vec!["type", "hold.amount.amount"]),
        (without(held.clone(), "/description"), vec!["description"]),
        (with(held, "/description", json!("a\nb")), vec!["description"]),
    ];
    refused(&world, paid, cases).await;
    // All that money can move for, it can also be captured for.
    for kind in ["transfer", "deposit", "withdrawal", "fee", "adjustment"] {
        let held = hold(ada, 2);
        let taken = with(capture(&held, &fee), "/type", json!(kind));
        let moved = posting(kind, "legs", &json!([leg(&wallet(ada), &platform("fee"), 1)]));
        world.all_posted(&[held.clone(), taken, release(&held), moved]).await;
    }
}

#[tokio::test]
async fn holds_and_captures_that_do_not_fit_are_named() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (held, fee) = (hold(ada, 1), platform("fee"));
    let (part, all) = (capture(&held, &[share(&fee, 1), share(&fee, 1)]), capture_all(&held, &fee));
    let cases = vec![
        (with(held.clone(), "/hold/amount/amount", json!(0)), vec!["hold.amount.amount"]),
        (with(held.clone(), "/hold/amount/amount", json!(-1)), vec!["hold.amount.amount"]),
        (with(held.clone(), "/hold/amount/amount", json!(0.5)), vec!["hold.amount.amount"]),
        (with(held.clone(), "/hold/amount/currency", json!("naira")), vec!["hold.amount.currency"]),
        (with(held.clone(), "/hold/amount", json!(1)), vec!["hold.amount"]),
        (with(held.clone(), "/hold/walletId", json!("mine")), vec!["hold.walletId"]),
        (without(held.clone(), "/hold/walletId"), vec!["hold.walletId"]),
        (and(held.clone(), "/hold/platform", json!("fee")), vec!["hold.platform"]),
        (without(held.clone(), "/hold/expiresAt"), vec!["hold.expiresAt"]),
        (with(held.clone(), "/hold/expiresAt", json!("tomorrow")), vec!["hold.expiresAt"]),
        (with(held.clone(), "/hold/expiresAt", json!(3600)), vec!["hold.expiresAt"]),
        (with(held.clone(), "/hold/expiresAt", json!("2026-01-01T13:00:00")), vec!["hold.expiresAt"]),
        (with(held.clone(), "/hold", json!([])), vec!["hold"]),
        (without(part.clone(), "/capture/to"), vec!["capture.to"]),
        (and(part.clone(), "/capture/all", all["capture"]["all"].clone()), vec!["capture.to"]),
        (with(part.clone(), "/capture/to", json!([])), vec!["capture.to"]),
        (with(part.clone(), "/capture/to", json!(vec![share(&fee, 1); 501])), vec!["capture.to"]),
        (with(part.clone(), "/capture/to/1/amount/amount", json!(0)), vec!["capture.to[1].amount.amount"]),
        (with(part.clone(), "/capture/to/1/account", json!({})), vec!["capture.to[1].account"]),
        (
            with(part.clone(), "/capture/to/1/account", json!({ "walletId": ada, "platform": "fee" })),
            vec!["capture.to[1].account"],
        ),
        (
            with(part.clone(), "/capture/to/1/account", platform("casino")),
            vec!["capture.to[1].account.platform"],
        ),
        (without(part.clone(), "/capture/to/0/amount"), vec!["capture.to[0].amount"]),
        (without(part.clone(), "/capture/holdId"), vec!["capture.holdId"]),
        (with(part.clone(), "/capture/holdId", json!("x")), vec!["capture.holdId"]),
        (and(part.clone(), "/capture/releaseRest", json!("yes")), vec!["capture.releaseRest"]),
        (and(all.clone(), "/capture/releaseRest", json!(true)), vec!["capture.releaseRest"]),
        (with(all.clone(), "/capture/all/account", json!({})), vec!["capture.all.account"]),
        (without(all.clone(), "/capture/all/account"), vec!["capture.all.account"]),
        (without(all.clone(), "/capture/all/currency"), vec!["capture.all.currency"]),
        (with(all, "/capture/all/currency", json!("XXQ")), vec!["capture.all.currency"]),
        (with(release(&held), "/release", json!({})), vec!["release.holdId"]),
        (with(release(&held), "/release/holdId", json!(7)), vec!["release.holdId"]),
        (and(release(&held), "/release/amount", naira(1)), vec!["release.amount"]),
    ];
    refused(&world, held, cases).await;
}

#[tokio::test]
async fn reversals_and_refunds_that_do_not_fit_are_named() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (paid, fee) = (pay(ada, WalletId::new(), 1), platform("fee"));
    let (undone, back) = (reverse(&paid), refund(&paid, &[share(&fee, 1), share(&fee, 1)]));
    let cases = vec![
        (with(undone.clone(), "/reverse", json!({})), vec!["reverse.postingId"]),
        (with(undone.clone(), "/reverse/postingId", json!("x")), vec!["reverse.postingId"]),
        (and(undone, "/reverse/from", json!([])), vec!["reverse.from"]),
        (without(back.clone(), "/refund/postingId"), vec!["refund.postingId"]),
        (without(back.clone(), "/refund/from"), vec!["refund.from"]),
        (with(back.clone(), "/refund/from", json!([])), vec!["refund.from"]),
        (with(back.clone(), "/refund/from", json!(vec![share(&fee, 1); 501])), vec!["refund.from"]),
        (with(back.clone(), "/refund/from/0/amount/amount", json!(-1)), vec!["refund.from[0].amount.amount"]),
        (with(back.clone(), "/refund/from/1/account", json!({})), vec!["refund.from[1].account"]),
        (with(back, "/refund/from/1/account/platform", json!("")), vec!["refund.from[1].account.platform"]),
    ];
    refused(&world, paid, cases).await;
}

#[tokio::test]
async fn everything_that_is_wrong_is_told_at_once() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let unknown = json!({ "id": TransactionId::new() });
    let list = [
        hold(ada, 0),
        capture(&unknown, &[share(&json!({}), 1)]),
        and(refund(&unknown, &[share(&wallet(ada), 0)]), "/correlationId", json!("a b")),
        and(reverse(&unknown), "/traceparent", json!("")),
    ];
    let answer = world.internal_post(PATH, &json!({ "postings": list, "atomic": true })).await;
    let fields = [
        "groupId",
        "postings[0].hold.amount.amount",
        "postings[1].capture.to[0].account",
        "postings[2].correlationId",
        "postings[2].refund.from[0].amount.amount",
        "postings[3].traceparent",
    ];
    assert_eq!(answer.fields(), fields);
    assert_eq!(world.count("postings").await, 1);
}
