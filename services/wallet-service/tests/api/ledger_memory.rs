//! What an instance remembers of balances while others change them. Memory may cost a second look; it never decides.

use wallet_service::ledger::{AccountStatus, Freeze, RefusalCode, set_bounds_in_op, set_status_in_op};

use crate::{
    ledger_concurrency::{Two, code},
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
        set_status_in_op(&mut op, ada.into(), status).await.unwrap();
        op.commit().await.unwrap();
    };
    let set_bounds = async |floor| {
        let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
        set_bounds_in_op(&mut op, ada.into(), floor, None).await.unwrap();
        op.commit().await.unwrap();
    };
    assert_eq!(pay().await, None);
    set_status(AccountStatus::Frozen(Freeze::Out)).await;
    assert_eq!(pay().await, Some(RefusalCode::WalletFrozen));
    set_status(AccountStatus::Active).await;
    assert_eq!(pay().await, None);
    set_bounds(980).await;
    assert_eq!(pay().await, Some(RefusalCode::InsufficientFunds));
    set_bounds(970).await;
    assert_eq!(pay().await, None);
    assert_eq!(two.world.balance(ada).await, 970);
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
