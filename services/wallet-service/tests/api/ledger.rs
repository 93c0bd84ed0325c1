//! The ledger on a real Postgres: what is posted, refused, replayed and raced, and what the schema holds by itself.

use std::collections::HashSet;

use chrono::TimeDelta;
use common_utils::{
    clock::Clock,
    ids::{TransactionId, UserId, WalletId},
    money::{Currency, Money},
};
use serde_json::json;
use wallet_service::ledger::{
    AccountRef, AccountStatus, Freeze, LedgerError, Leg, Outcome, PlatformAccount, PostingResult,
    RefusalCode, set_status_in_op,
};

use crate::support::{World, equity, leg, of, posting, posting_with_id, transfer};

fn codes(results: &[PostingResult]) -> Vec<Option<RefusalCode>> {
    results.iter().map(|result| result.outcome.refusal().map(|refusal| refusal.code)).collect()
}

#[tokio::test]
async fn a_refused_posting_does_not_fail_its_neighbours() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let results = world
        .ledger()
        .post(vec![transfer(ada, bola, 60), transfer(ada, bola, 60), transfer(bola, ada, 10)])
        .await
        .unwrap();
    assert_eq!(codes(&results), [None, Some(RefusalCode::InsufficientFunds), None]);
    let refusal = results[1].outcome.refusal().unwrap();
    assert_eq!((refusal.wallet_id, refusal.missing), (Some(ada), Some(20)));
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (50, 50));
    world.verify().await;
}

#[tokio::test]
async fn each_refusal_has_its_code() {
    let world = World::without_limits().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(i64::MAX - 100).await;
    let suspense = AccountRef::Platform(PlatformAccount::Suspense);
    let dollars = world.wallet(user, "USD").await;
    let nobody = WalletId::new();
    let results = world
        .ledger()
        .post(vec![
            transfer(ada, nobody, 1),
            transfer(nobody, ada, 1),
            transfer(ada, dollars, 1),
            posting(vec![leg(suspense, of(bola), 101)]),
            posting(vec![leg(AccountRef::Platform(PlatformAccount::Fee), of(ada), 1)]),
        ])
        .await
        .unwrap();
    assert_eq!(
        codes(&results),
        [
            Some(RefusalCode::AccountNotFound),
            Some(RefusalCode::AccountNotFound),
            Some(RefusalCode::CurrencyMismatch),
            Some(RefusalCode::Overflow),
            // Nobody is given back more fees than were taken.
            Some(RefusalCode::InsufficientFunds),
        ]
    );
    assert_eq!(results[4].outcome.refusal().unwrap().wallet_id, None);
    assert_eq!(world.balance(ada).await, 100);
    world.verify().await;
}

#[tokio::test]
async fn a_posting_is_answered_the_same_for_ever() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let (good, bad) = (transfer(ada, bola, 60), transfer(ada, bola, 60));
    let first = world.ledger().post(vec![good.clone(), bad.clone()]).await.unwrap();
    assert!(first.iter().all(|result| !result.replayed));
    // With money there, a refused posting stays refused: its answer was given.
    world.fund(ada, 1_000).await;
    world.clock.advance(TimeDelta::hours(1));
    let again = world.ledger().post(vec![bad, good]).await.unwrap();
    for (one, other) in first.iter().rev().zip(&again) {
        assert!(other.replayed);
        assert_eq!((one.id, one.outcome, one.posted_at), (other.id, other.outcome, other.posted_at));
    }
    assert_eq!(world.balance(bola).await, 60);
    world.verify().await;
}

#[tokio::test]
async fn a_known_id_with_other_content_is_refused_and_the_first_answer_stands() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let id = TransactionId::new();
    let legs = |amount| vec![leg(of(ada), of(bola), amount)];
    let list = vec![posting_with_id(id, legs(1)), posting_with_id(id, legs(2)), posting_with_id(id, legs(1))];
    let results = world.ledger().post(list).await.unwrap();
    assert_eq!(codes(&results), [None, Some(RefusalCode::ContentMismatch), None]);
    assert_eq!(results.iter().map(|result| result.replayed).collect::<Vec<_>>(), [false, false, true]);
    let later = world.post_one(posting_with_id(id, legs(2))).await;
    assert_eq!(later.outcome.refusal().unwrap().code, RefusalCode::ContentMismatch);
    assert!(world.post_one(posting_with_id(id, legs(1))).await.replayed);
    assert_eq!(world.balance(bola).await, 1);
}

#[tokio::test]
async fn accounts_of_the_platform_are_opened_when_they_are_first_used() {
    let world = World::open().await;
    let (_, ada) = world.person_with(1_000).await;
    let fee = || AccountRef::Platform(PlatformAccount::Fee);
    let settlement = || AccountRef::Platform("provider_settlement:providus".parse().unwrap());
    // Sixteen at once, none of which finds them.
    let posts = (0..16).map(|_| {
        let list = vec![posting(vec![leg(of(ada), fee(), 1)]), posting(vec![leg(settlement(), of(ada), 5)])];
        let ledger = world.ledger();
        tokio::spawn(async move { ledger.post(list).await.unwrap() })
    });
    for post in posts.collect::<Vec<_>>() {
        assert_eq!(codes(&post.await.unwrap()), [None, None]);
    }
    let accounts: Vec<(String, i64, bool)> = sqlx::query_as(
        "SELECT a.code, b.posted, a.may_overdraw FROM accounts a JOIN balances b ON b.account_id = a.id
         WHERE a.kind <> 'customer' ORDER BY a.code",
    )
    .fetch_all(&world.db.pool)
    .await
    .unwrap();
    let expected = [
        ("equity".to_owned(), -1_000, true),
        ("fee".to_owned(), 16, false),
        ("provider_settlement:providus".to_owned(), -80, true),
    ];
    assert_eq!(accounts, expected);
    // The same code in another currency is another account.
    let dollars = world.wallet(UserId::new(), "USD").await;
    let amount = Money::new(7, Currency::USD);
    world.post_one(posting(vec![Leg { debit: equity(), credit: of(dollars), amount }])).await;
    assert_eq!(world.count("accounts WHERE code = 'equity'").await, 2);
    world.verify().await;
}

#[tokio::test]
async fn entries_and_events_follow_each_other_as_they_were_decided() {
    let world = World::open().await;
    let (user, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let first = transfer(ada, bola, 30);
    world.ledger().post(vec![first.clone(), transfer(bola, ada, 10)]).await.unwrap();
    let events = world.events(ada).await;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            (event["type"].as_str().unwrap(), event["data"]["sequence"].as_i64().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        told,
        [("wallet.created", 0), ("wallet.credited", 1), ("wallet.debited", 2), ("wallet.credited", 3)]
    );
    let debited = &events[2]["data"];
    assert_eq!(debited["transactionId"], json!(first.id()));
    assert_eq!(debited["userId"], json!(user));
    assert_eq!(debited["balanceAfter"], 70);
    assert_eq!(debited["amount"], json!({ "amount": 30, "currency": "NGN" }));
    assert_eq!(debited["transactionType"], "transfer");
}

/// 32 writers, 4 accounts, postings of one to three legs in every direction, ids that are sent twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_neither_lose_money_nor_lock_each_other_out() {
    const WRITERS: usize = 32;
    const LISTS: usize = 6;
    let world = World::open().await;
    let mut wallets = Vec::new();
    for _ in 0..4 {
        wallets.push(world.person_with(1_000).await.1);
    }
    let writers = (0..WRITERS).map(|writer| {
        let (ledger, wallets) = (world.ledger(), wallets.clone());
        tokio::spawn(async move {
            let mut results = Vec::new();
            for list in 0..LISTS {
                let postings: Vec<_> = (0..8)
                    .map(|place| {
                        let pick =
                            |offset: usize| wallets[(writer + list * 3 + place * 5 + offset) % wallets.len()];
                        let amount = i64::try_from(1 + (writer * 7 + place) % 90).unwrap();
                        let legs = [leg(of(pick(0)), of(pick(1)), amount), leg(of(pick(1)), of(pick(2)), 1)];
                        posting(legs[..=place % 2].to_vec())
                    })
                    .collect();
                results.extend(ledger.post(postings.clone()).await.unwrap());
                let again = ledger.post(postings.into_iter().rev().collect()).await.unwrap();
                assert!(again.iter().all(|result| result.replayed));
            }
            results
        })
    });
    let mut ids = HashSet::new();
    let mut posted = 0_i64;
    for writer in writers.collect::<Vec<_>>() {
        for result in writer.await.unwrap() {
            assert!(ids.insert(result.id));
            posted += i64::from(result.outcome == Outcome::Posted);
        }
    }
    assert_eq!(ids.len(), WRITERS * LISTS * 8);
    assert!(posted > 0);
    assert_eq!(world.count("postings WHERE outcome = 'posted'").await, posted + 4);
    let mut total = 0;
    for wallet in wallets {
        total += world.balance(wallet).await;
    }
    assert_eq!(total, 4_000);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_posting_sent_by_many_at_once_moves_money_once() {
    let world = World::open().await;
    let (_, ada) = world.person_with(1_000).await;
    let (_, bola) = world.person_with(0).await;
    let list: Vec<_> = (0..10).map(|_| transfer(ada, bola, 10)).collect();
    // Accounts that do not exist have no row to wait at: there the primary key decides.
    let homeless: Vec<_> = (0..10).map(|_| transfer(WalletId::new(), WalletId::new(), 10)).collect();
    let senders = (0..12).map(|turn| {
        let ledger = world.ledger();
        let mut postings: Vec<_> = list.iter().chain(&homeless).cloned().collect();
        postings.rotate_left(turn);
        tokio::spawn(async move { ledger.post(postings).await.unwrap() })
    });
    let mut fresh = 0;
    for sender in senders.collect::<Vec<_>>() {
        fresh += sender.await.unwrap().iter().filter(|result| !result.replayed).count();
    }
    assert_eq!(fresh, 20);
    assert_eq!((world.balance(ada).await, world.balance(bola).await), (900, 100));
    assert_eq!(world.count("postings WHERE outcome = 'refused'").await, 10);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_moves_once_a_wallet_is_frozen() {
    let world = World::open().await;
    let (_, ada) = world.person_with(1_000_000).await;
    let (_, bola) = world.person_with(0).await;
    let writers = (0..8).map(|_| {
        let ledger = world.ledger();
        tokio::spawn(async move {
            let mut posted = 0;
            loop {
                let result = ledger.post(vec![transfer(ada, bola, 1)]).await.unwrap()[0];
                match result.outcome.refusal().map(|refusal| refusal.code) {
                    None => posted += 1,
                    Some(RefusalCode::WalletFrozen) => return posted,
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while world.balance(bola).await < 20 {
        tokio::task::yield_now().await;
    }
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    set_status_in_op(&mut op, bola.into(), AccountStatus::Frozen(Freeze::Both), world.clock.now())
        .await
        .unwrap();
    // With the lock in hand the balance cannot move any more.
    let frozen_at = world.balance(bola).await;
    op.commit().await.unwrap();
    let mut posted = 0;
    for writer in writers {
        posted += writer.await.unwrap();
    }
    assert_eq!(world.balance(bola).await, frozen_at);
    assert_eq!(posted, frozen_at);
    let incoming = world.post_one(posting(vec![leg(equity(), of(bola), 1)])).await;
    assert_eq!(incoming.outcome.refusal().unwrap().wallet_id, Some(bola));
    world.verify().await;
}

#[tokio::test]
async fn what_a_transaction_began_and_did_not_commit_never_was() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    let (_, bola) = world.person_with(0).await;
    let posting = transfer(ada, bola, 60);
    let mut op = common_db::begin(&world.db.pool).await.unwrap();
    world.ledger().post_in_op(&mut op, std::slice::from_ref(&posting)).await.unwrap();
    op.rollback().await.unwrap();
    assert_eq!((world.balance(ada).await, world.count("postings").await), (100, 1));
    assert!(!world.post_one(posting).await.replayed);
    world.verify().await;
}

#[tokio::test]
async fn a_database_that_is_gone_is_an_error_to_try_again() {
    let world = World::open().await;
    let (_, ada) = world.person_with(100).await;
    world.state.pool.close().await;
    let error = world.ledger().post(vec![posting(vec![leg(equity(), of(ada), 1)])]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Database(_)) && error.is_transient(), "{error:?}");
}

#[tokio::test]
async fn an_empty_list_is_answered_with_nothing() {
    let world = World::open().await;
    assert!(world.ledger().post(Vec::new()).await.unwrap().is_empty());
}
