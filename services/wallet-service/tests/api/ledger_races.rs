//! Lists that meet only where they are written, or that name what was written while they waited.

use std::sync::Arc;

use chrono::TimeDelta;
use common_utils::{
    clock::Clock,
    ids::{TransactionId, WalletId},
};
use wallet_service::ledger::RefusalCode;

use crate::{
    ledger_concurrency::{Two, code},
    ledger_orders::{capture_all, hold, hold_with_id, refund, reverse},
    support::{equity, leg, of, posting_with_id, transfer},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_contents_with_one_id_one_stays() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let (_, bola) = two.world.person_with(10_000).await;
    for round in 0..30 {
        let id = TransactionId::new();
        // They share no account, so they meet only where they are written.
        let of_wallet = |wallet| posting_with_id(id, vec![leg(of(wallet), of(WalletId::new()), 1)]);
        let [one, other] = two.race(vec![of_wallet(ada)], vec![of_wallet(bola)]).await;
        let codes = [code(&one[0]), code(&other[0])];
        assert!(codes.contains(&Some(RefusalCode::ContentMismatch)), "{round}: {codes:?}");
        assert!(codes.contains(&Some(RefusalCode::AccountNotFound)), "{round}: {codes:?}");
    }
    assert_eq!(two.world.count("postings WHERE outcome = 'refused'").await, 30);
    // A hold is a row of its own under the posting's id.
    let until = two.world.clock.now() + TimeDelta::hours(1);
    for round in 0..30 {
        let id = TransactionId::new();
        let of_wallet = |wallet| vec![hold_with_id(id, wallet, 1, until)];
        let [one, other] = two.race(of_wallet(ada), of_wallet(bola)).await;
        let mut codes = [code(&one[0]), code(&other[0])];
        codes.sort_by_key(Option::is_some);
        assert_eq!(codes, [None, Some(RefusalCode::ContentMismatch)], "{round}");
    }
    assert_eq!(two.world.held(ada).await + two.world.held(bola).await, 30);
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_refunds_that_are_too_much_together_one_is_refused() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(3_000).await;
    let (_, bola) = two.world.person_with(3_000).await;
    for round in 0..30 {
        let paid = transfer(ada, bola, 100);
        let back = || vec![refund(paid.id(), of(bola), 60)];
        two.ledgers[round % 2].post(vec![paid.clone()]).await.unwrap();
        let [one, other] = two.race(back(), back()).await;
        let mut codes = [code(&one[0]), code(&other[0])];
        codes.sort_by_key(Option::is_some);
        assert_eq!(codes, [None, Some(RefusalCode::RefundExceeded)], "{round}");
    }
    assert_eq!(two.world.balance(ada).await, 3_000 - 30 * 40);
    assert_eq!(two.world.count("posting_returns WHERE returned = 60 AND taken = 100").await, 30);
    two.world.verify().await;
}

/// When the list came, neither was there, so nothing led to Bola's account; when its turn came, both were.
#[tokio::test]
async fn what_was_committed_while_a_list_waited_can_be_named_by_it() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(100).await;
    let (_, bola) = two.world.person_with(100).await;
    let (_, eve) = two.world.person_with(0).await;
    for round in 0..2 {
        let (paid, held) =
            (transfer(ada, bola, 30), hold(bola, 20, two.world.clock.now() + TimeDelta::hours(1)));
        let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
        two.ledgers[0].post_in_op(&mut op, &[paid.clone(), held.clone()]).await.unwrap();
        let naming = if round == 0 { reverse(paid.id()) } else { capture_all(held.id(), of(eve)) };
        let waiting = tokio::spawn({
            let (ledger, list) = (Arc::clone(&two.ledgers[1]), vec![transfer(ada, eve, 1), naming]);
            async move { ledger.post(list).await.unwrap() }
        });
        while !two.world.somebody_waits_for_a_lock().await {
            tokio::task::yield_now().await;
        }
        op.commit().await.unwrap();
        let results = waiting.await.unwrap();
        assert_eq!((code(&results[0]), code(&results[1])), (None, None), "{round}");
    }
    two.world.verify().await;
}

/// Somebody else's hold under the same id was placed and captured between our look and our writing.
#[tokio::test]
async fn a_hold_whose_id_was_used_up_meanwhile_is_told_so() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(100).await;
    let (_, bola) = two.world.person_with(100).await;
    let (id, until) = (TransactionId::new(), two.world.clock.now() + TimeDelta::hours(1));
    let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
    sqlx::raw_sql("LOCK TABLE holds IN SHARE MODE").execute(&mut *op).await.unwrap();
    let waiting = tokio::spawn({
        let ledger = Arc::clone(&two.ledgers[1]);
        async move { ledger.post(vec![hold_with_id(id, bola, 10, until)]).await }
    });
    while !two.world.somebody_waits_for_a_lock().await {
        tokio::task::yield_now().await;
    }
    for posting in [hold_with_id(id, ada, 20, until), capture_all(id, equity())] {
        let results = two.ledgers[0].post_in_op(&mut op, &[posting]).await.unwrap();
        assert_eq!(code(&results[0]), None);
    }
    op.commit().await.unwrap();
    let results = waiting.await.unwrap().unwrap();
    assert_eq!(code(&results[0]), Some(RefusalCode::ContentMismatch));
    two.world.verify().await;
}
