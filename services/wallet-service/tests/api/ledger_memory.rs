//! What an instance remembers of balances while others change them. Memory may cost a second look; it never decides.

use chrono::TimeDelta;
use common_utils::{
    clock::{Clock, ManualClock},
    ids::WalletId,
};
use wallet_service::ledger::{
    AccountStatus, Freeze, Ledger, RefusalCode, set_bounds_in_op, set_status_in_op,
};

use crate::{
    ledger_concurrency::{Two, code},
    ledger_orders::{hold, release},
    support::{equity, leg, of, posting, transfer},
};

#[tokio::test]
async fn a_balance_that_another_instance_changed_is_not_written_over() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(1_000).await;
    let (_, bola) = two.world.person_with(0).await;
    // Each change makes the other instance's memory wrong.
    for round in 0..40 {
        let results = two.ledgers[round % 2].post(vec![transfer(ada, bola, 10)]).await.unwrap();
        assert_eq!(code(&results[0]), None, "{round}");
    }
    assert_eq!((two.world.balance(ada).await, two.world.balance(bola).await), (600, 400));
    two.world.verify().await;
}

#[tokio::test]
async fn nothing_is_refused_because_of_a_remembered_balance() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10).await;
    let (_, bola) = two.world.person_with(0).await;
    two.ledgers[0].post(vec![transfer(ada, bola, 10)]).await.unwrap();
    two.ledgers[1].post(vec![posting(vec![leg(equity(), of(ada), 50)])]).await.unwrap();
    let results = two.ledgers[0].post(vec![transfer(ada, bola, 50)]).await.unwrap();
    assert_eq!(code(&results[0]), None);
    assert_eq!((two.world.balance(ada).await, two.world.balance(bola).await), (0, 60));
    two.world.verify().await;
}

#[tokio::test]
async fn a_freeze_and_a_bound_hold_from_the_next_posting_on() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(1_000).await;
    let (_, bola) = two.world.person_with(0).await;
    let pay = async || code(&two.ledgers[0].post(vec![transfer(ada, bola, 10)]).await.unwrap()[0]);
    let set_status = async |status| {
        let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
        set_status_in_op(&mut op, ada.into(), status, two.world.clock.now()).await.unwrap();
        op.commit().await.unwrap();
    };
    let set_bounds = async |wallet: WalletId, floor, ceiling| {
        let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
        set_bounds_in_op(&mut op, wallet.into(), floor, ceiling, two.world.clock.now()).await.unwrap();
        op.commit().await.unwrap();
    };
    assert_eq!(pay().await, None);
    set_status(AccountStatus::Frozen(Freeze::Out)).await;
    assert_eq!(pay().await, Some(RefusalCode::WalletFrozen));
    set_status(AccountStatus::Active).await;
    assert_eq!(pay().await, None);
    set_bounds(ada, 980, None).await;
    assert_eq!(pay().await, Some(RefusalCode::InsufficientFunds));
    set_bounds(ada, 970, None).await;
    assert_eq!(pay().await, None);
    set_bounds(ada, 0, None).await;
    assert_eq!(pay().await, None);
    set_bounds(bola, 0, Some(45)).await;
    assert_eq!(pay().await, Some(RefusalCode::CeilingExceeded));
    set_bounds(bola, 0, Some(50)).await;
    assert_eq!(pay().await, None);
    assert_eq!(two.world.balance(ada).await, 950);
    two.world.verify().await;
}

#[tokio::test]
async fn money_that_another_instance_holds_is_not_paid_out() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(100).await;
    let (_, bola) = two.world.person_with(0).await;
    let pay = async || code(&two.ledgers[0].post(vec![transfer(ada, bola, 10)]).await.unwrap()[0]);
    assert_eq!(pay().await, None);
    let until = two.world.clock.now() + TimeDelta::hours(1);
    two.ledgers[1].post(vec![hold(ada, 85, until)]).await.unwrap();
    assert_eq!(pay().await, Some(RefusalCode::InsufficientFunds));
    assert_eq!((two.world.balance(ada).await, two.world.held(ada).await), (90, 85));
    two.world.verify().await;
}

/// A hold that was placed and released elsewhere leaves the balance as it is remembered, but not its time.
#[tokio::test]
async fn an_accounts_time_does_not_go_back_where_another_instances_clock_is_ahead() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(100).await;
    let (_, bola) = two.world.person_with(0).await;
    two.ledgers[0].post(vec![transfer(ada, bola, 10)]).await.unwrap();
    let later = two.world.clock.now() + TimeDelta::hours(1);
    let ahead = Ledger::start(two.world.db.pool.clone(), ManualClock::new(later));
    let placed = hold(ada, 5, later + TimeDelta::hours(1));
    let released = release(placed.id());
    ahead.post(vec![placed, released]).await.unwrap();
    let results = two.ledgers[0].post(vec![transfer(ada, bola, 10)]).await.unwrap();
    assert_eq!((code(&results[0]), results[0].posted_at), (None, later));
    two.world.verify().await;
}

/// It would be posted once more by what is remembered.
#[tokio::test]
async fn a_posting_that_is_sent_again_is_known_among_new_ones() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(100).await;
    let (_, bola) = two.world.person_with(0).await;
    let first = transfer(ada, bola, 10);
    for (round, ledger) in [&two.ledgers[0], &two.ledgers[0], &two.ledgers[1]].into_iter().enumerate() {
        let results =
            ledger.post(vec![transfer(ada, bola, 1), first.clone(), transfer(bola, ada, 1)]).await.unwrap();
        let replayed: Vec<bool> = results.iter().map(|result| result.replayed).collect();
        assert_eq!(replayed, [false, round > 0, false]);
        assert!(results.iter().all(|result| code(result).is_none()), "{results:?}");
    }
    assert_eq!((two.world.balance(ada).await, two.world.balance(bola).await), (90, 10));
    two.world.verify().await;
}

/// The one that opened the account rolled back after it had been found there.
#[tokio::test]
async fn an_account_of_the_platform_that_is_gone_again_is_opened_again() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(0).await;
    let pay = || posting(vec![leg(equity(), of(ada), 5)]);
    let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
    for _ in 0..2 {
        let results = two.ledgers[0].post_in_op(&mut op, &[pay()]).await.unwrap();
        assert_eq!(code(&results[0]), None);
    }
    op.rollback().await.unwrap();
    let results = two.ledgers[0].post(vec![pay()]).await.unwrap();
    assert_eq!(code(&results[0]), None);
    assert_eq!(two.world.balance(ada).await, 5);
    two.world.verify().await;
}
