//! Atomic lists over HTTP: all of it, or nothing.

use common_utils::ids;
use serde_json::{Value, json};
use wallet_service::ledger::{Outcome, Posting, RefusalCode};

use crate::support::{
    World,
    postings::{
        PATH, capture_all, hold, naira, outcomes, pay, platform, release, replayed, reverse, wallet, with,
    },
    transfer,
};

#[tokio::test]
async fn a_group_is_posted_as_a_whole() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let held = hold(ada, 60);
    // Each on what those before it left.
    let list = [
        held.clone(),
        pay(ada, bola, 40),
        capture_all(&held, &wallet(bola)),
        pay(bola, ada, 100),
        pay(ada, bola, 7),
    ];
    let group = ids::new_id();
    let first = world.post_atomic(group, &list).await;
    assert_eq!((outcomes(&first), replayed(&first)), (vec!["posted"; 5], vec![false; 5]));
    assert_eq!((world.balance(ada).await, world.held(ada).await, world.balance(bola).await), (93, 0, 7));
    let again = world.post_atomic(group, &list).await;
    assert_eq!((outcomes(&again), replayed(&again)), (vec!["posted"; 5], vec![true; 5]));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (93, 7));
    world.verify().await;
}

#[tokio::test]
async fn one_refusal_refuses_the_group_for_ever() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (held, paid) = (hold(ada, 60), pay(ada, bola, 10));
    let list =
        [held.clone(), paid.clone(), capture_all(&held, &wallet(bola)), pay(ada, bola, 31), reverse(&paid)];
    let group = ids::new_id();
    let first = world.post_atomic(group, &list).await;
    let others = ["group_refused"; 3];
    let expected = [&others[..], &["insufficient_funds", "group_refused"]].concat();
    assert_eq!(outcomes(&first), expected);
    let because = &first.body["results"][3]["refusal"];
    assert_eq!(*because, json!({ "code": "insufficient_funds", "walletId": ada, "missing": 1 }));
    let beside = &first.body["results"][0]["refusal"];
    assert_eq!(*beside, json!({ "code": "group_refused", "walletId": null, "missing": null }));
    assert_eq!((world.balance(ada).await, world.held(ada).await, world.balance(bola).await), (100, 0, 0));
    assert_eq!((world.count("holds").await, world.count("entries").await), (0, 2));

    world.fund(ada, 1_000).await;
    let again = world.post_atomic(group, &list).await;
    assert_eq!((outcomes(&again), replayed(&again)), (expected, vec![true; 5]));
    // What never was cannot be captured.
    assert_eq!(world.refusal_of(&release(&held)).await["code"], "hold_not_found");
    assert_eq!(world.balance(ada).await, 1_100);
    world.verify().await;
}

#[tokio::test]
async fn the_group_is_content_of_its_members() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (group, list) = (ids::new_id(), [pay(ada, bola, 10), pay(ada, bola, 20)]);
    assert_eq!(outcomes(&world.post_atomic(group, &list).await), ["posted"; 2]);
    let mismatched = vec!["content_mismatch"; 2];
    assert_eq!(outcomes(&world.post_group(&list).await), mismatched);
    assert_eq!(outcomes(&world.post_list(&list).await), mismatched);
    let changed = [list[0].clone(), with(list[1].clone(), "/legs/0/amount", naira(21))];
    assert_eq!(outcomes(&world.post_atomic(group, &changed).await), ["posted", "content_mismatch"]);
    // Nobody joins a group later. That refusal is not kept: the posting was never one of the group.
    let late = pay(ada, bola, 5);
    let joined = world.post_atomic(group, &[list[0].clone(), late.clone()]).await;
    assert_eq!(
        (outcomes(&joined), replayed(&joined)),
        (vec!["posted", "content_mismatch"], vec![true, false])
    );
    world.all_posted(&[late]).await;
    let again = world.post_atomic(group, &list).await;
    assert_eq!((outcomes(&again), replayed(&again)), (vec!["posted"; 2], vec![true; 2]));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (65, 35));
    world.verify().await;
}

#[tokio::test]
async fn a_large_group_goes_in_one_call() {
    let world = World::open().await;
    let (_, ada) = world.person_with(999).await;
    let (_, bola) = world.person_with(0).await;
    let payments = |count: usize| -> Vec<Value> { (0..count).map(|_| pay(ada, bola, 1)).collect() };
    let too_many = world.post_group(&payments(1_000)).await;
    let codes = outcomes(&too_many);
    assert_eq!((codes[998], codes[999]), ("group_refused", "insufficient_funds"));
    assert_eq!(world.balance(ada).await, 999);
    let enough = world.post_group(&payments(999)).await;
    assert!(outcomes(&enough).iter().all(|outcome| *outcome == "posted"));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (0, 999));
    world.verify().await;
}

#[tokio::test]
async fn groups_that_do_not_fit_are_not_written() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (one, group) = (pay(ada, bola, 1), ids::new_id());
    let twice = [one.clone(), pay(ada, bola, 1), one.clone(), one.clone()];
    let malformed = [one.clone(), with(pay(ada, bola, 1), "/legs/0/amount", naira(0))];
    for (body, fields) in [
        (json!({ "postings": [one], "atomic": true }), vec!["groupId"]),
        (json!({ "postings": [one], "atomic": true, "groupId": null }), vec!["groupId"]),
        (json!({ "postings": [one], "groupId": group }), vec!["groupId"]),
        (json!({ "postings": [one], "atomic": false, "groupId": group }), vec!["groupId"]),
        (json!({ "postings": [one], "atomic": true, "groupId": "mine" }), vec!["groupId"]),
        (json!({ "postings": [one], "atomic": "yes", "groupId": group }), vec!["atomic"]),
        (json!({ "postings": [], "atomic": true, "groupId": group }), vec!["postings"]),
        (
            json!({ "postings": twice, "atomic": true, "groupId": group }),
            vec!["postings[2].id", "postings[3].id"],
        ),
        (
            json!({ "postings": malformed, "atomic": true, "groupId": group }),
            vec!["postings[1].legs[0].amount.amount"],
        ),
        (
            json!({ "postings": [one, with(one.clone(), "/type", json!("hold"))], "atomic": true }),
            vec!["groupId", "postings[1].id", "postings[1].type"],
        ),
    ] {
        let answer = world.internal_post(PATH, &body).await;
        assert_eq!((answer.refusal(), answer.fields()), ((422, "validation_failed"), fields), "{body}");
    }
    let answer = world.post_group(&twice).await;
    let codes = answer.body["errors"].as_array().unwrap().iter().map(|error| &error["code"]);
    assert!(codes.eq(["duplicate"; 2].iter()), "{answer:?}");
    assert_eq!((world.balance(ada).await, world.count("postings").await), (100, 1));
    // Outside of a group the same id may stand in a list twice: the second is answered as the first.
    let answer = world.post_list(&[one.clone(), one]).await;
    assert_eq!((outcomes(&answer), replayed(&answer)), (vec!["posted"; 2], vec![false, true]));
}

#[tokio::test]
async fn members_of_other_lists_are_not_drawn_in() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let refused = [pay(ada, bola, 1), pay(ada, bola, 101)];
    let held = hold(ada, 10);
    let fine = [held.clone(), capture_all(&held, &platform("fee"))];
    let alone = [pay(ada, bola, 2), pay(ada, bola, 1_000), pay(ada, bola, 3)];
    // At once, so that they may share a batch.
    let (refused, fine, alone) =
        tokio::join!(world.post_group(&refused), world.post_group(&fine), world.post_list(&alone));
    assert_eq!(outcomes(&refused), ["group_refused", "insufficient_funds"]);
    assert_eq!(outcomes(&fine), ["posted", "posted"]);
    assert_eq!(outcomes(&alone), ["posted", "insufficient_funds", "posted"]);
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (85, 5));
    world.verify().await;
}

/// Both copies, and a stranger who calls a group alike, wait while the batch before them is written: one batch decides them.
#[tokio::test]
async fn copies_of_a_group_in_one_batch_are_one_group() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let group = ids::new_id();
    let list = || [10, 20].map(|amount| transfer(ada, bola, amount).in_group(group)).to_vec();
    let (copies, stranger) = (list(), vec![transfer(ada, bola, 1_000).in_group(group)]);

    let mut blocker = world.db.pool.begin().await.unwrap();
    sqlx::query("SELECT FROM balances WHERE account_id = $1 FOR UPDATE")
        .bind(ada.uuid())
        .execute(&mut *blocker)
        .await
        .unwrap();
    let post = |list: Vec<Posting>| {
        let ledger = world.ledger();
        tokio::spawn(async move { ledger.post(list).await.unwrap() })
    };
    let first = post(vec![transfer(ada, bola, 1)]);
    while !world.somebody_waits_for_a_lock().await {
        tokio::task::yield_now().await;
    }
    let waiting = [post(copies.clone()), post(copies), post(stranger)];
    // This runtime has one thread: each of them has come as far as it can.
    tokio::task::yield_now().await;
    blocker.rollback().await.unwrap();

    first.await.unwrap();
    let [one, other, refused] = waiting;
    let (one, other, refused) = (one.await.unwrap(), other.await.unwrap(), refused.await.unwrap());
    assert!(one.iter().all(|result| result.outcome == Outcome::Posted && !result.replayed), "{one:?}");
    assert!(other.iter().all(|result| result.outcome == Outcome::Posted && result.replayed), "{other:?}");
    assert_eq!(refused[0].outcome.refusal().unwrap().code, RefusalCode::InsufficientFunds);
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (69, 31));
}

#[tokio::test]
async fn a_hold_of_the_same_list_cannot_be_reversed() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let held = hold(ada, 60);
    let answer = world.internal_post(PATH, &json!({ "postings": [held.clone(), reverse(&held)] })).await;
    assert_eq!(outcomes(&answer), ["posted", "posting_not_found"]);
}
