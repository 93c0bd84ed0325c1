//! The ledger when something fails in the middle: who is told what, and what is there afterwards.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{DbConfig, PgPool};
use common_utils::{
    clock::{Clock, SharedClock},
    ids::WalletId,
};
use futures::{FutureExt, future::join_all, poll};
use sqlx::{Postgres, Transaction};
use wallet_service::{
    SERVICE_NAME,
    ledger::{Ledger, LedgerError, MAX_LEGS, Origin, Outcome, Posting, PostingResult, RefusalCode},
};

use crate::{
    ledger_concurrency::code,
    ledger_orders::{capture_all, hold},
    support::{World, leg, of, posting, transfer},
};

/// Two wallets, the first with money, and somebody who can stand in the way.
struct Scene {
    world: World,
    ada: WalletId,
    bola: WalletId,
}

type Results = Result<Vec<PostingResult>, LedgerError>;

impl Scene {
    async fn open() -> Self {
        let world = World::open().await;
        let (_, ada) = world.person_with(1_000).await;
        let (_, bola) = world.person_with(0).await;
        Self { world, ada, bola }
    }

    /// Another ledger on the same database, with a setting of its own.
    fn ledger_with(&self, change: impl FnOnce(&mut DbConfig)) -> Ledger {
        let mut config = self.world.db.config.clone();
        change(&mut config);
        let pool: PgPool = common_db::pool::connect(SERVICE_NAME, &config);
        Ledger::start(pool, Arc::clone(&self.world.clock) as SharedClock)
    }

    /// Holds Ada's balance until it is given up.
    async fn in_the_way(&self) -> Transaction<'static, Postgres> {
        let mut op = self.world.db.pool.begin().await.unwrap();
        sqlx::query("SELECT FROM balances WHERE account_id = $1 FOR UPDATE")
            .bind(self.ada.uuid())
            .execute(&mut *op)
            .await
            .unwrap();
        op
    }

    fn pay(&self, amount: i64) -> Posting {
        transfer(self.ada, self.bola, amount)
    }

    async fn somebody_waits(&self) {
        while !self.world.somebody_waits_for_a_lock().await {
            tokio::task::yield_now().await;
        }
    }

    /// Ends the connections that wait for a lock.
    async fn cut_off(&self) {
        let ended: Vec<bool> = sqlx::query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_all(&self.world.db.pool)
        .await
        .unwrap();
        assert_eq!(ended, [true]);
    }

    async fn balances(&self) -> (i64, i64) {
        (self.world.balance(self.ada).await, self.world.balance(self.bola).await)
    }

    async fn statement(&self, text: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned())).execute(&self.world.db.pool).await.unwrap();
    }
}

fn is_posted(results: &Results) -> bool {
    results.as_ref().is_ok_and(|results| results.iter().all(|result| result.outcome == Outcome::Posted))
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_recovers() {
    // What may wait, in legs, and lists of as much as a batch takes.
    const WAITING: usize = 20_000;
    let scene = Scene::open().await;
    let ledger = scene.world.ledger();
    let blocker = scene.in_the_way().await;
    // Of the lists that wait only the first is paid for: the others cost no entries.
    let large = |amount| posting(vec![leg(of(scene.ada), of(scene.bola), amount); MAX_LEGS]);
    let lists = (0..WAITING / (4 * MAX_LEGS)).map(|place| {
        let amount = if place == 0 { 1 } else { 1_000 };
        ledger.post((0..4).map(|_| large(amount)).collect())
    });
    let mut waiting = join_all(lists).boxed();
    assert!(poll!(&mut waiting).is_pending());
    let one = scene.pay(1);
    let refused = ledger.post(vec![one.clone()]).await;
    assert!(matches!(&refused, Err(error @ LedgerError::Overloaded) if error.is_transient()), "{refused:?}");
    blocker.rollback().await.unwrap();
    let answers = waiting.await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    // Two of 500 each, and then nothing is left.
    let posted = answers.iter().flatten().flatten().filter(|result| code(result).is_none()).count();
    assert_eq!((posted, scene.balances().await), (2, (0, 1_000)));
    let again = ledger.post(vec![one]).await.unwrap();
    assert_eq!((code(&again[0]), again[0].replayed), (Some(RefusalCode::InsufficientFunds), false));
    scene.world.verify().await;
}

/// Gathers these lists into one batch, and says what became of each.
async fn gathered(scene: &Scene, lists: Vec<Vec<Posting>>) -> Vec<Results> {
    let ledger = scene.world.ledger();
    let blocker = scene.in_the_way().await;
    let mut first = ledger.post(vec![scene.pay(1)]).boxed();
    assert!(poll!(&mut first).is_pending());
    scene.somebody_waits().await;
    let mut others = join_all(lists.into_iter().map(|list| ledger.post(list))).boxed();
    assert!(poll!(&mut others).is_pending());
    blocker.rollback().await.unwrap();
    assert!(is_posted(&first.await));
    others.await
}

#[tokio::test]
async fn a_list_that_the_database_refuses_fails_alone() {
    let scene = Scene::open().await;
    scene.statement("ALTER TABLE entries ADD CONSTRAINT unlucky CHECK (amount <> 13)").await;
    let (poison, neighbour) = (vec![scene.pay(2), scene.pay(13)], scene.pay(3));
    let lists = vec![vec![scene.pay(10)], poison.clone(), vec![neighbour.clone()]];
    let answers = gathered(&scene, lists).await;
    assert!(is_posted(&answers[0]) && is_posted(&answers[2]), "{answers:?}");
    assert!(matches!(&answers[1], Err(LedgerError::Database(_))), "{answers:?}");
    // Of the list that failed nothing is there; its neighbours were posted once.
    assert_eq!(scene.balances().await, (986, 14));
    assert!(scene.world.ledger().post(vec![neighbour]).await.unwrap()[0].replayed);
    scene.statement("ALTER TABLE entries DROP CONSTRAINT unlucky").await;
    let mended = scene.world.ledger().post(poison).await.unwrap();
    assert!(mended.iter().all(|result| code(result).is_none() && !result.replayed));
    assert_eq!(scene.balances().await, (971, 29));
    scene.world.verify().await;
}

#[tokio::test]
async fn a_list_whose_event_is_too_large_fails_alone() {
    let scene = Scene::open().await;
    let endless = Origin { counterparty_name: Some("x".repeat(11 << 20)), ..Origin::default() };
    let lists = vec![vec![scene.pay(10)], vec![scene.pay(20).with_origin(endless)], vec![scene.pay(3)]];
    let answers = gathered(&scene, lists).await;
    assert!(is_posted(&answers[0]) && is_posted(&answers[2]), "{answers:?}");
    assert!(matches!(&answers[1], Err(error @ LedgerError::Event(_)) if !error.is_transient()));
    assert_eq!(scene.balances().await, (986, 14));
    scene.world.verify().await;
}

/// All that the types let through is kept: text of any script, a hold until the end of time.
#[tokio::test]
async fn odd_content_is_kept() {
    let scene = Scene::open().await;
    let odd = Origin {
        provider_reference: Some("\0\u{1}\\u0000".to_owned()),
        counterparty_name: Some("\u{feff}\u{ffff}🦀".to_owned()),
        ..Origin::default()
    };
    let forever = hold(scene.ada, 10, DateTime::<Utc>::MAX_UTC);
    let taken = capture_all(forever.id(), of(scene.bola));
    for posting in [scene.pay(5).with_origin(odd), forever, taken] {
        let result = scene.world.post_one(posting.clone()).await;
        assert_eq!(code(&result), None, "{posting:?}");
        assert!(scene.world.post_one(posting).await.replayed);
    }
    assert_eq!(scene.balances().await, (985, 15));
    scene.world.verify().await;
}

#[tokio::test]
async fn who_waits_when_the_connection_is_lost_may_try_again_and_is_posted_once() {
    let scene = Scene::open().await;
    let ledger = scene.world.ledger();
    let blocker = scene.in_the_way().await;
    let lists: Vec<Vec<Posting>> =
        (1..=6).map(|amount| vec![scene.pay(amount), scene.pay(100 + amount)]).collect();
    let mut first = ledger.post(lists[0].clone()).boxed();
    assert!(poll!(&mut first).is_pending());
    scene.somebody_waits().await;
    let mut others = join_all(lists[1..].iter().map(|list| ledger.post(list.clone()))).boxed();
    assert!(poll!(&mut others).is_pending());
    // First the batch of one list, then that of all the others.
    scene.cut_off().await;
    let lost = first.await.unwrap_err();
    assert!(matches!(lost, LedgerError::Database(_)) && lost.is_transient(), "{lost:?}");
    scene.somebody_waits().await;
    scene.cut_off().await;
    for answer in others.await {
        let lost = answer.unwrap_err();
        assert!(matches!(lost, LedgerError::Database(_)) && lost.is_transient(), "{lost:?}");
    }
    blocker.rollback().await.unwrap();
    assert_eq!(scene.balances().await, (1_000, 0));
    for replayed in [false, true] {
        for answer in join_all(lists.iter().map(|list| ledger.post(list.clone()))).await {
            assert!(
                answer.unwrap().iter().all(|result| code(result).is_none() && result.replayed == replayed)
            );
        }
    }
    assert_eq!(scene.balances().await, (1_000 - 642, 642));
    scene.world.verify().await;
}

/// The commit was sent, and nobody knows whether it took effect.
#[tokio::test]
async fn a_connection_that_is_lost_during_the_commit_leaves_nothing_half_done() {
    let scene = Scene::open().await;
    scene
        .statement(
            "CREATE FUNCTION wait_here() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;
             CREATE CONSTRAINT TRIGGER waits AFTER INSERT ON postings DEFERRABLE INITIALLY DEFERRED
                 FOR EACH ROW EXECUTE FUNCTION wait_here()",
        )
        .await;
    let mut blocker = scene.world.db.pool.begin().await.unwrap();
    sqlx::raw_sql("SELECT pg_advisory_xact_lock(42)").execute(&mut *blocker).await.unwrap();
    let (ledger, list) = (scene.world.ledger(), vec![scene.pay(10), scene.pay(5)]);
    let sent = tokio::spawn({
        let (ledger, list) = (Arc::clone(&ledger), list.clone());
        async move { ledger.post(list).await }
    });
    scene.somebody_waits().await;
    scene.cut_off().await;
    let error = sent.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    blocker.rollback().await.unwrap();
    for replayed in [false, true] {
        let results = ledger.post(list.clone()).await.unwrap();
        assert!(
            results.iter().all(|result| code(result).is_none() && result.replayed == replayed),
            "{results:?}"
        );
    }
    assert_eq!(scene.balances().await, (985, 15));
    scene.world.verify().await;
}

#[tokio::test]
async fn a_lock_that_is_not_given_in_time_is_an_error_to_try_again() {
    let scene = Scene::open().await;
    let ledger = scene.ledger_with(|config| config.lock_timeout = Duration::from_millis(50));
    let until = scene.world.clock.now() + TimeDelta::seconds(1);
    let held = hold(scene.ada, 10, until);
    scene.world.post_one(held.clone()).await;
    scene.world.clock.advance(TimeDelta::seconds(1));
    let list = vec![scene.pay(10)];
    let blocker = scene.in_the_way().await;
    let late = ledger.post(list.clone()).await.unwrap_err();
    assert!(matches!(late, LedgerError::Database(_)) && late.is_transient(), "{late:?}");
    // Who looks after overdue holds has to wait, too.
    assert!(ledger.expire_overdue().await.unwrap_err().is_transient());
    blocker.rollback().await.unwrap();
    assert_eq!(ledger.expire_overdue().await.unwrap(), 1);
    assert!(is_posted(&ledger.post(list).await));
    assert_eq!(scene.balances().await, (990, 10));
    scene.world.verify().await;
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_an_error_to_try_again() {
    let scene = Scene::open().await;
    let ledger = scene.ledger_with(|config| config.statement_timeout = Duration::from_millis(50));
    let list = vec![scene.pay(10)];
    let blocker = scene.in_the_way().await;
    let late = ledger.post(list.clone()).await.unwrap_err();
    assert!(matches!(late, LedgerError::Database(_)) && late.is_transient(), "{late:?}");
    blocker.rollback().await.unwrap();
    // By the ledger with more time: this one has little for anything.
    assert!(is_posted(&scene.world.ledger().post(list).await));
    assert_eq!(scene.balances().await, (990, 10));
    scene.world.verify().await;
}

/// A caller who goes away is posted all the same: the answer is for whoever asks again.
#[tokio::test]
async fn who_goes_away_is_posted_all_the_same() {
    let scene = Scene::open().await;
    let ledger = scene.world.ledger();
    let blocker = scene.in_the_way().await;
    let paid = scene.pay(10);
    let mut impatient = ledger.post(vec![paid.clone()]).boxed();
    assert!(poll!(&mut impatient).is_pending());
    drop(impatient);
    blocker.rollback().await.unwrap();
    let again = ledger.post(vec![paid]).await.unwrap();
    assert_eq!((code(&again[0]), again[0].replayed), (None, true));
    assert_eq!(scene.balances().await, (990, 10));
    scene.world.verify().await;
}
