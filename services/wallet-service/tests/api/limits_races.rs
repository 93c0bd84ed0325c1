//! Ceilings while many credits come in, through two instances of the ledger.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use common_utils::ids::{TransactionId, UserId, WalletId};
use futures::future::join_all;
use wallet_service::ledger::{Ledger, RefusalCode, set_intake_ceilings_in_op};

use crate::{
    ledger_concurrency::{Two, code},
    support::{World, equity, leg, of, posting},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credits_at_the_same_time_fill_a_wallet_to_its_ceiling_and_no_further() {
    let two = Two::open().await;
    let (_, wallet) = two.world.person_with(0).await;
    // Sixty-four of a million, and room for thirty.
    let credits = (0..64).map(|number| {
        let credit = posting(vec![leg(equity(), of(wallet), 1_000_000)]);
        two.ledgers[number % 2].post(vec![credit])
    });
    let results = join_all(credits).await.into_iter().map(|results| code(&results.unwrap()[0]));
    let (posted, refused): (Vec<_>, Vec<_>) = results.partition(Option::is_none);
    assert_eq!((posted.len(), refused.len()), (30, 34));
    assert!(refused.iter().all(|code| *code == Some(RefusalCode::CeilingExceeded)), "{refused:?}");
    assert_eq!(two.world.balance(wallet).await, 30_000_000);
    two.world.verify().await;
}

/// What one writer did: the ceiling that was known to be in force when it began, and its credits.
type Written = Vec<(i64, TransactionId)>;

async fn write(ledger: Arc<Ledger>, wallet: WalletId, ceiling: Arc<AtomicI64>) -> Written {
    let mut written = Vec::new();
    for round in 0..40 {
        let known = ceiling.load(Ordering::SeqCst);
        let credit = posting(vec![leg(equity(), of(wallet), 7 + round % 5)]);
        let id = credit.id();
        if code(&ledger.post(vec![credit]).await.unwrap()[0]).is_none() {
            written.push((known, id));
        }
        // Room again.
        let debit = posting(vec![leg(of(wallet), equity(), 6 + round % 7)]);
        ledger.post(vec![debit]).await.unwrap();
    }
    written
}

async fn balance_after(world: &World, wallet: WalletId, posting: TransactionId) -> i64 {
    sqlx::query_scalar("SELECT balance_after FROM entries WHERE account_id = $1 AND posting_id = $2")
        .bind(wallet.uuid())
        .bind(posting.uuid())
        .fetch_one(&world.db.pool)
        .await
        .unwrap()
}

/// The ceiling only falls, so no credit may end above the one that was in force when it was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_credit_ends_above_a_ceiling_that_was_set_before_it() {
    let two = Two::open().await;
    let (_, wallet) = two.world.person_with(0).await;
    let ceiling = Arc::new(AtomicI64::new(i64::MAX));
    let lower = async |to: i64| {
        let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
        set_intake_ceilings_in_op(&mut op, &[(wallet.into(), Some(to))]).await.unwrap();
        op.commit().await.unwrap();
        ceiling.store(to, Ordering::SeqCst);
    };
    lower(100).await;
    let writers: Vec<_> = (0..6)
        .map(|number| {
            let ledger = Arc::clone(&two.ledgers[number % 2]);
            tokio::spawn(write(ledger, wallet, Arc::clone(&ceiling)))
        })
        .collect();
    for step in 1..=20 {
        lower(100 - 4 * step).await;
        tokio::task::yield_now().await;
    }
    let mut credits = 0;
    for written in join_all(writers).await {
        for (known, id) in written.unwrap() {
            let after = balance_after(&two.world, wallet, id).await;
            assert!(after <= known, "{after} above {known}");
            credits += 1;
        }
    }
    assert!(credits > 0);
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wallets_that_are_opened_while_a_tier_rises_have_the_new_ceiling() {
    let world = World::open().await;
    for _ in 0..5 {
        let user = UserId::new();
        let open = join_all((0..8).map(|_| world.wallet(user, "NGN")));
        let (wallets, ()) = tokio::join!(open, world.tell_tier(user, 2));
        for wallet in wallets {
            assert_eq!(world.intake_ceiling(wallet).await, Some(50_000_000));
        }
    }
}
