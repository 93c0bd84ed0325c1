//! Reversals and refunds over HTTP.

use common_utils::ids::{TransactionId, UserId, WalletId};
use serde_json::{Value, json};

use crate::support::{
    World,
    postings::{
        capture_all, hold, leg, naira, outcomes, pay, platform, posting, refund, release, replayed, reverse,
        share, wallet, with,
    },
};

const BANK: &str = "provider_settlement:providus";

/// A payment of 40 with a fee of 2, all from `from`.
fn purchase(from: WalletId, to: WalletId) -> Value {
    let legs = json!([leg(&wallet(from), &wallet(to), 40), leg(&wallet(from), &platform("fee"), 2)]);
    posting("transfer", "legs", &legs)
}

async fn fees(world: &World) -> i64 {
    sqlx::query_scalar(
        "SELECT posted FROM balances b JOIN accounts a ON a.id = b.account_id WHERE a.code = 'fee'",
    )
    .fetch_one(&world.db.pool)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_reversal_undoes_all_of_a_posting_once() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let bought = purchase(ada, bola);
    world.is_posted(&bought).await;
    assert_eq!((world.balance(ada).await, world.balance(bola).await, fees(&world).await), (58, 40, 2));
    let undone = reverse(&bought);
    world.is_posted(&undone).await;
    assert_eq!((world.balance(ada).await, world.balance(bola).await, fees(&world).await), (100, 0, 0));
    let events = world.events(ada).await;
    assert_eq!(events.last().unwrap()["data"]["transactionType"], "reversal");

    let again = [reverse(&bought), refund(&bought, &[share(&wallet(bola), 1)]), reverse(&undone)];
    let answer = world.post_list(&again).await;
    assert_eq!(outcomes(&answer), ["already_returned", "already_returned", "not_returnable"]);
    assert_eq!(answer.body["results"][1]["refusal"]["missing"], 1);
    world.stands_by(&[bought, undone]).await;
    world.stands_by(&again).await;
    assert_eq!(world.balance(ada).await, 100);
    world.verify().await;
}

#[tokio::test]
async fn refunds_give_back_no_more_than_was_taken() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let bought = purchase(ada, bola);
    world.is_posted(&bought).await;
    let some = refund(&bought, &[share(&wallet(bola), 10), share(&platform("fee"), 1)]);
    world.is_posted(&some).await;
    assert_eq!((world.balance(ada).await, world.balance(bola).await, fees(&world).await), (69, 30, 1));
    let too_much = refund(&bought, &[share(&wallet(bola), 30), share(&platform("fee"), 2)]);
    let refusal = world.refusal_of(&too_much).await;
    assert_eq!(refusal, json!({ "code": "refund_exceeded", "walletId": ada, "missing": 1 }));
    assert_eq!(world.refusal_of(&reverse(&bought)).await["code"], "already_returned");
    // Whoever gives back need not have been paid by it.
    world.all_posted(&[refund(&bought, &[share(&platform(BANK), 31)])]).await;
    let refusal = world.refusal_of(&refund(&bought, &[share(&platform(BANK), 1)])).await;
    assert_eq!(refusal, json!({ "code": "already_returned", "walletId": ada, "missing": 1 }));
    world.stands_by(&[some, too_much]).await;
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (100, 30));
    world.verify().await;
}

#[tokio::test]
async fn what_is_taken_back_may_stand_in_the_same_list() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (bought, held) = (purchase(ada, bola), hold(ada, 50));
    let paid = capture_all(&held, &wallet(bola));
    let list = [
        reverse(&bought),
        bought.clone(),
        held.clone(),
        paid.clone(),
        refund(&paid, &[share(&wallet(bola), 20)]),
        reverse(&bought),
    ];
    let answer = world.post_list(&list).await;
    let expected = ["posting_not_found", "posted", "posted", "posted", "posted", "posted"];
    assert_eq!(outcomes(&answer), expected);
    assert_eq!((world.balance(ada).await, world.held(ada).await, world.balance(bola).await), (70, 0, 30));
    world.stands_by(&list).await;
    world.verify().await;
}

#[tokio::test]
async fn returns_are_refused_each_for_its_reason() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(100).await;
    let dollars = world.wallet(UserId::new(), "USD").await;
    let nobody = WalletId::new();
    let (bought, refused, held) = (purchase(ada, bola), pay(ada, bola, 1_000), hold(bola, 1));
    let legs = json!([leg(&wallet(ada), &platform("tax"), 1), leg(&wallet(bola), &platform("tax"), 1)]);
    let of_two = posting("fee", "legs", &legs);
    let answer = world
        .post_list(&[
            bought.clone(),
            refused.clone(),
            of_two.clone(),
            pay(bola, ada, 130),
            held.clone(),
            release(&held),
        ])
        .await;
    assert_eq!(outcomes(&answer), ["posted", "insufficient_funds", "posted", "posted", "posted", "posted"]);
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (187, 9));
    let unknown = json!({ "id": TransactionId::new() });
    let share_in_dollars =
        json!({ "account": wallet(dollars), "amount": { "amount": 1, "currency": "USD" } });
    for (posting, code, wallet_id, missing) in [
        (reverse(&unknown), "posting_not_found", None, None),
        (refund(&unknown, &[share(&wallet(bola), 1)]), "posting_not_found", None, None),
        (reverse(&refused), "posting_not_found", None, None),
        // Moved nothing: a release ends it.
        (reverse(&held), "posting_not_found", None, None),
        (refund(&of_two, &[share(&platform("tax"), 1)]), "not_returnable", None, None),
        // Bola has spent it.
        (reverse(&bought), "insufficient_funds", Some(bola), Some(31)),
        (refund(&bought, &[share(&wallet(bola), 12)]), "insufficient_funds", Some(bola), Some(3)),
        (refund(&bought, &[share(&wallet(ada), 1)]), "same_account", Some(ada), None),
        (refund(&bought, &[share(&wallet(nobody), 1)]), "account_not_found", Some(nobody), None),
        (refund(&bought, &[share(&wallet(dollars), 1)]), "currency_mismatch", Some(dollars), None),
        (refund(&bought, &[share_in_dollars]), "currency_mismatch", Some(ada), None),
    ] {
        let refusal = world.refusal_of(&posting).await;
        let expected = json!({ "code": code, "walletId": wallet_id, "missing": missing });
        assert_eq!(refusal, expected, "{posting}");
        world.stands_by(&[posting]).await;
    }
    // Two who paid can be given back all of it.
    world.all_posted(&[reverse(&of_two)]).await;
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (188, 10));
    world.verify().await;
}

#[tokio::test]
async fn what_is_content_of_a_return_cannot_change_under_its_id() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (bought, paid) = (purchase(ada, bola), pay(ada, bola, 5));
    let (some, undone) = (refund(&bought, &[share(&wallet(bola), 10)]), reverse(&paid));
    let list = [bought.clone(), paid.clone(), some.clone(), undone.clone()];
    world.all_posted(&list).await;
    for other in [
        with(some.clone(), "/refund/postingId", paid["id"].clone()),
        with(some.clone(), "/refund/from/0/amount", naira(9)),
        with(some.clone(), "/refund/from/0/account", platform("fee")),
        with(undone.clone(), "/reverse/postingId", bought["id"].clone()),
        with(reverse(&bought), "/id", some["id"].clone()),
    ] {
        assert_eq!(world.refusal_of(&other).await["code"], "content_mismatch", "{other}");
    }
    assert_eq!(replayed(&world.post_list(&list).await), [true; 4]);
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (68, 30));
    world.verify().await;
}
