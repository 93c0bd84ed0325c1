//! Many writers through two instances of the ledger on one database: what each is told is what happened, in an order that
//! everybody can have seen.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use chrono::TimeDelta;
use common_utils::{
    clock::{Clock, SharedClock},
    ids::{TransactionId, WalletId},
};
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use wallet_service::{
    SERVICE_NAME,
    ledger::{
        AccountStatus, Bounded, Freeze, Ledger, Outcome, Posting, PostingResult, RefusalCode,
        set_bounds_in_op, set_status_in_op,
    },
};

use crate::{
    ledger_orders::{capture, capture_all, hold, refund, release, reverse},
    support::{World, equity, leg, of, posting, transfer},
};

/// Two instances of the ledger, each with a pool of its own.
pub(crate) struct Two {
    pub(crate) world: World,
    pub(crate) ledgers: [Arc<Ledger>; 2],
}

impl Two {
    pub(crate) async fn open() -> Self {
        let world = World::open().await;
        let clock: SharedClock = Arc::clone(&world.clock) as SharedClock;
        let pool = common_db::pool::connect(SERVICE_NAME, &world.db.config);
        let ledgers = [world.ledger(), Arc::new(Ledger::start(pool, clock))];
        Self { world, ledgers }
    }

    /// Both lists at the same time, each through an instance of its own.
    pub(crate) async fn race(&self, one: Vec<Posting>, other: Vec<Posting>) -> [Vec<PostingResult>; 2] {
        let [here, there] = &self.ledgers;
        let (one, other) = tokio::join!(here.post(one), there.post(other));
        [one.unwrap(), other.unwrap()]
    }
}

pub(crate) fn code(result: &PostingResult) -> Option<RefusalCode> {
    result.outcome.refusal().map(|refusal| refusal.code)
}

/// When a posting was sent and when its answer was there, on one counter for all.
#[derive(Debug, Clone, Copy)]
struct Seen {
    sent: u64,
    answered: u64,
}

/// One of many who ask without end: pays, holds, captures, releases, refunds and reverses.
struct Writer {
    number: usize,
    ledger: Arc<Ledger>,
    wallets: Vec<WalletId>,
    ticks: Arc<AtomicU64>,
    until: chrono::DateTime<chrono::Utc>,
}

type Answered = Vec<(PostingResult, Seen)>;

impl Writer {
    async fn run(self) -> Answered {
        let mut all = Vec::new();
        for round in 0..4 {
            let wallet =
                |place: usize| self.wallets[(self.number * 7 + round * 3 + place) % self.wallets.len()];
            let (ada, bola, eve) = (wallet(0), wallet(1), wallet(2));
            let legs = vec![leg(of(ada), of(bola), 9), leg(of(bola), of(eve), 4), leg(of(ada), equity(), 1)];
            let (paid, held) = (transfer(bola, ada, 6), hold(ada, 8, self.until));
            let (paid_id, held_id) = (paid.id(), held.id());
            self.post(vec![posting(legs), paid, held], &mut all).await;
            let back = if round % 2 == 0 { reverse(paid_id) } else { refund(paid_id, of(ada), 2) };
            self.post(vec![capture(held_id, of(eve), 3), back], &mut all).await;
            self.post(vec![release(held_id), transfer(eve, ada, 3)], &mut all).await;
        }
        all
    }

    /// No error at all.
    async fn post(&self, list: Vec<Posting>, all: &mut Answered) {
        let sent = self.ticks.fetch_add(1, Ordering::SeqCst);
        let results = self.ledger.post(list).await.unwrap();
        let answered = self.ticks.fetch_add(1, Ordering::SeqCst);
        all.extend(results.into_iter().map(|result| (result, Seen { sent, answered })));
    }
}

/// Freezes, thaws and bounds the wallets, and ends holds, for as long as the writers write.
async fn meddle(world: &World, ledgers: [Arc<Ledger>; 2], wallets: Vec<WalletId>, stop: CancellationToken) {
    for turn in 0.. {
        let account = wallets[turn % wallets.len()].into();
        for status in [AccountStatus::Frozen(Freeze::Out), AccountStatus::Active] {
            let mut op = common_db::begin(&world.db.pool).await.unwrap();
            set_status_in_op(&mut op, account, status, world.clock.now()).await.unwrap();
            op.commit().await.unwrap();
        }
        let mut op = common_db::begin(&world.db.pool).await.unwrap();
        let bounded =
            set_bounds_in_op(&mut op, account, 0, Some(1_000_000), world.clock.now()).await.unwrap();
        assert_eq!(bounded, Bounded::Executed);
        op.commit().await.unwrap();
        ledgers[turn % 2].expire_overdue().await.unwrap();
        if stop.is_cancelled() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_lose_nothing_and_see_one_order() {
    const EACH: i64 = 500;
    let two = Two::open().await;
    let mut wallets = Vec::new();
    for _ in 0..5 {
        wallets.push(two.world.person_with(EACH).await.1);
    }
    let (ticks, until) = (Arc::default(), two.world.clock.now() + TimeDelta::hours(1));
    let writers = (0..64).map(|number| {
        let ledger = Arc::clone(&two.ledgers[number % 2]);
        let writer = Writer { number, ledger, wallets: wallets.clone(), ticks: Arc::clone(&ticks), until };
        tokio::spawn(writer.run())
    });
    let writers: Vec<_> = writers.collect();
    let stop = CancellationToken::new();
    let meddling = meddle(&two.world, two.ledgers.clone(), wallets.clone(), stop.clone());
    let writing = async {
        let answered = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect::<Answered>();
        stop.cancel();
        answered
    };
    let (answered, ()) = tokio::join!(writing, meddling);

    assert_eq!(answered.len(), 64 * 4 * 7);
    let posted = answered.iter().filter(|(result, _)| result.outcome == Outcome::Posted).count();
    assert!(posted > 64 * 4, "{posted}");
    let kept = two.world.count("postings WHERE outcome = 'posted'").await;
    assert_eq!(kept, i64::try_from(posted + wallets.len()).unwrap());
    assert!(answered.iter().all(|(result, _)| !result.replayed));
    two.world.verify().await;
    let seen = answered.into_iter().map(|(result, seen)| (result.id, seen)).collect();
    one_order(&two.world, &seen).await;
}

/// Who had an answer before somebody else asked has the lower numbers, on every account.
async fn one_order(world: &World, seen: &HashMap<TransactionId, Seen>) {
    let rows: Vec<(uuid::Uuid, uuid::Uuid)> =
        sqlx::query_as("SELECT account_id, posting_id FROM entries ORDER BY account_id, sequence DESC")
            .fetch_all(&world.db.pool)
            .await
            .unwrap();
    assert!(rows.len() > 1_000);
    for of_account in rows.chunk_by(|(one, _), (other, _)| one == other) {
        // From the last entry on: the first answer to any of those behind it.
        let mut first_answer = u64::MAX;
        for (account, posting) in of_account {
            let Some(Seen { sent, answered }) = seen.get(&TransactionId::from(*posting)) else { continue };
            assert!(
                *sent < first_answer,
                "{posting} on {account} was asked for after a later one was answered"
            );
            first_answer = first_answer.min(*answered);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_both_instances_are_asked_at_once_is_done_once_and_answered_alike() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let (_, bola) = two.world.person_with(0).await;
    let until = two.world.clock.now() + TimeDelta::hours(1);
    for _ in 0..30 {
        let group = common_utils::ids::new_id();
        let nobody = || transfer(WalletId::new(), WalletId::new(), 1);
        let list = vec![
            transfer(ada, bola, 1),
            hold(ada, 1, until),
            // Where there are no accounts to wait at, the key of the postings decides.
            nobody(),
            nobody(),
            transfer(bola, ada, 1).in_group(group),
            transfer(ada, bola, 100_000).in_group(group),
        ];
        let reversed = list[..4].iter().rev().chain(&list[4..]).cloned().collect();
        let [one, mut other] = two.race(list, reversed).await;
        other[..4].reverse();
        for (here, there) in one.iter().zip(&other) {
            assert_eq!((here.id, here.outcome, here.posted_at), (there.id, there.outcome, there.posted_at));
            assert!(here.replayed != there.replayed, "{here:?} and {there:?}");
        }
    }
    assert_eq!((two.world.balance(bola).await, two.world.held(ada).await), (30, 30));
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_who_want_a_hold_one_gets_it() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let (_, bola) = two.world.person_with(0).await;
    let until = two.world.clock.now() + TimeDelta::hours(1);
    let mut captured = 0;
    for round in 0..30 {
        let held = hold(ada, 10, until);
        let id = held.id();
        two.world.post_one(held).await;
        let second = if round % 2 == 0 { capture_all(id, equity()) } else { release(id) };
        let [one, other] = two.race(vec![capture_all(id, of(bola))], vec![second]).await;
        let mut codes = [code(&one[0]), code(&other[0])];
        captured += i64::from(codes[0].is_none()) * 10;
        codes.sort_by_key(Option::is_some);
        assert_eq!(codes, [None, Some(RefusalCode::HoldClosed)], "{round}");
    }
    assert_eq!((two.world.balance(bola).await, two.world.held(ada).await), (captured, 0));
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_of_a_hold_are_together_no_more_than_it() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let (_, bola) = two.world.person_with(0).await;
    let until = two.world.clock.now() + TimeDelta::hours(1);
    for _ in 0..10 {
        let held = hold(ada, 100, until);
        let id = held.id();
        two.world.post_one(held).await;
        let parts = |_| vec![capture(id, of(bola), 30)];
        let races = join_all((0..3).map(|round| two.race(parts(round), parts(round)))).await;
        let posted = races.iter().flatten().flatten().filter(|result| code(result).is_none()).count();
        assert_eq!(posted, 3);
    }
    assert_eq!((two.world.balance(bola).await, two.world.held(ada).await), (900, 100));
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posting_is_reversed_or_refunded_and_never_both() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let (_, bola) = two.world.person_with(10_000).await;
    let mut refunded = 0;
    for round in 0..30 {
        let paid = transfer(ada, bola, 10);
        let id = paid.id();
        two.world.post_one(paid).await;
        let back = refund(id, of(bola), 4);
        let second = if round % 3 == 0 { reverse(id) } else { back };
        let is_refund = round % 3 != 0;
        let [one, other] = two.race(vec![reverse(id)], vec![second]).await;
        refunded += i64::from(is_refund && code(&other[0]).is_none());
        let mut codes = [code(&one[0]), code(&other[0])];
        codes.sort_by_key(Option::is_some);
        assert_eq!(codes, [None, Some(RefusalCode::AlreadyReturned)], "{round}");
    }
    // Who was refunded has four of ten back, who was reversed all ten.
    assert_eq!(two.world.balance(ada).await, 10_000 - 6 * refunded);
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_is_captured_or_over_and_never_both() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(10_000).await;
    let mut captured = 0;
    for _ in 0..20 {
        let held = hold(ada, 10, two.world.clock.now() + TimeDelta::seconds(1));
        let id = held.id();
        two.world.post_one(held).await;
        let [here, there] = &two.ledgers;
        let clock = Arc::clone(&two.world.clock);
        let passing = async move {
            clock.advance(TimeDelta::seconds(1));
            there.expire_overdue().await.unwrap()
        };
        let (results, ended) = tokio::join!(here.post(vec![capture_all(id, equity())]), passing);
        let posted = code(&results.unwrap()[0]).is_none();
        captured += i64::from(posted) * 10;
        // Whoever comes first ends it.
        assert!(!(posted && ended > 0));
    }
    assert_eq!((two.world.balance(ada).await, two.world.held(ada).await), (10_000 - captured, 0));
    two.world.verify().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_freeze_is_answered_nothing_leaves_and_money_still_comes_in() {
    let two = Two::open().await;
    let (_, ada) = two.world.person_with(1_000_000).await;
    let (_, bola) = two.world.person_with(1_000_000).await;
    let writers = (0..8).map(|number: usize| {
        let ledger = Arc::clone(&two.ledgers[number % 2]);
        tokio::spawn(async move {
            let mut left = 0;
            loop {
                let results =
                    ledger.post(vec![transfer(ada, bola, 2), transfer(bola, ada, 1)]).await.unwrap();
                assert_eq!(code(&results[1]), None);
                match code(&results[0]) {
                    None => left += 1,
                    Some(RefusalCode::WalletFrozen) => return left,
                    other => panic!("{other:?}"),
                }
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while two.world.balance(ada).await > 999_980 {
        tokio::task::yield_now().await;
    }
    let mut op = common_db::begin(&two.world.db.pool).await.unwrap();
    set_status_in_op(&mut op, ada.into(), AccountStatus::Frozen(Freeze::Out), two.world.clock.now())
        .await
        .unwrap();
    // With the lock in hand the balance cannot move any more.
    let debits = "entries WHERE direction = 'debit' AND amount = 2";
    let before = two.world.count(debits).await;
    op.commit().await.unwrap();
    let mut left = 0;
    for writer in writers {
        left += writer.await.unwrap();
    }
    assert_eq!((two.world.count(debits).await, before), (before, left));
    two.world.verify().await;
}
