//! How many rows the statements of the ledger read, as Postgres counts them: a plan that reads a table whole is fast today
//! and an outage in a year. Counted, not explained, so that it is the statements as they are sent.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use common_db::PgPool;
use common_utils::{
    clock::{Clock, SharedClock},
    http::paging::Limit,
    ids::WalletId,
    money::Currency,
};
use sqlx::postgres::PgPoolOptions;
use wallet_service::ledger::{
    AccountId, Ledger, Order, Posting, balance_at, entries, statement,
    verify::{self, verify},
};

use crate::{
    ledger_orders::{capture, hold, refund},
    support::{World, equity, leg, of, posting, transfer},
};

/// Rows of somebody else, in each table.
const CROWD: i64 = 20_000;

/// One account with a short history in a ledger that is full of others.
struct Crowded {
    world: World,
    ada: WalletId,
    bola: WalletId,
    /// Its only connection, so that what it has read is all that was read.
    pool: PgPool,
    start: DateTime<Utc>,
}

impl Crowded {
    async fn open() -> Self {
        let world = World::open().await;
        let start = world.clock.now();
        let (_, ada) = world.person_with(10_000).await;
        let (_, bola) = world.person_with(0).await;
        for day in 1..=10 {
            world.clock.advance(TimeDelta::days(1));
            let paid = transfer(ada, bola, day);
            let back = refund(paid.id(), of(bola), 1);
            let held = hold(ada, 100, start + TimeDelta::days(12));
            let taken = capture(held.id(), of(bola), 60);
            world.ledger().post(vec![paid, back, held, taken]).await.unwrap();
        }
        sqlx::raw_sql(sqlx::AssertSqlSafe(crowd())).execute(&world.db.pool).await.unwrap();
        // What these connections have counted is told when they end.
        world.db.pool.close().await;
        world.state.pool.close().await;
        let pool = PgPoolOptions::new().max_connections(1);
        let pool = pool.connect_with(world.db.config.connect_options("reads")).await.unwrap();
        while clients(&pool).await > 1 {
            tokio::task::yield_now().await;
        }
        Self { world, ada, bola, pool, start }
    }

    fn account(&self) -> AccountId {
        self.ada.into()
    }

    fn day(&self, day: i64) -> DateTime<Utc> {
        self.start + TimeDelta::days(day)
    }

    /// Rows that were read since the beginning, by table; found in an index or by looking through the table.
    async fn read(&self) -> BTreeMap<String, i64> {
        // This statement tells what the ones before it have counted.
        sqlx::query("SELECT pg_stat_force_next_flush()").execute(&self.pool).await.unwrap();
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT t.relname::text, (t.seq_tup_read + COALESCE(sum(i.idx_tup_read), 0))::bigint
             FROM pg_stat_user_tables t LEFT JOIN pg_stat_user_indexes i USING (relid)
             GROUP BY t.relname, t.seq_tup_read",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        rows.into_iter().collect()
    }

    /// How many rows it reads in these tables.
    async fn cost<T>(&self, what: impl Future<Output = T>) -> (T, Read) {
        let before = self.read().await;
        let answer = what.await;
        let after = self.read().await;
        (
            answer,
            Read(after.into_iter().map(|(table, rows)| (table.clone(), rows - before[&table])).collect()),
        )
    }
}

#[derive(Debug)]
struct Read(BTreeMap<String, i64>);

impl Read {
    /// Of `entries`, `holds` and `postings`.
    fn of(&self, table: &str) -> i64 {
        self.0[table]
    }

    fn most(&self) -> i64 {
        self.0.values().copied().max().unwrap_or_default()
    }
}

async fn clients(pool: &PgPool) -> i64 {
    sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND backend_type = 'client backend'",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Other people's wallets, one of which has all the postings, entries, open holds and returns; the statistics know of them.
fn crowd() -> String {
    format!(
        "INSERT INTO accounts (id, kind, currency, created_at)
         SELECT md5('account' || n)::uuid, 'customer', 'NGN', now() FROM generate_series(1, {CROWD}) n;
         INSERT INTO wallets (id, user_id, currency, place, created_at)
         SELECT md5('account' || n)::uuid, md5('user' || n)::uuid, 'NGN', 1, now() FROM generate_series(1, {CROWD}) n;
         INSERT INTO balances (account_id, currency, may_overdraw, posted, held, updated_at)
         SELECT md5('account' || n)::uuid, 'NGN', false, {CROWD}, {CROWD}, now() FROM generate_series(1, {CROWD}) n;
         INSERT INTO postings (id, content_hash, type, outcome, posted_at)
         SELECT md5('posting' || n)::uuid, '', 'transfer', 'posted', now() FROM generate_series(1, {CROWD}) n;
         INSERT INTO entries
         SELECT md5('account1')::uuid, n, md5('entry' || n)::uuid, md5('posting' || n)::uuid, 'credit', 1, n, '', now()
         FROM generate_series(1, {CROWD}) n;
         INSERT INTO holds (id, account_id, amount, expires_at, created_at)
         SELECT md5('posting' || n)::uuid, md5('account1')::uuid, 1, now() + interval '100 years', now()
         FROM generate_series(1, {CROWD}) n;
         INSERT INTO posting_returns
         SELECT md5('posting' || n)::uuid, md5('account1')::uuid, 2, 1 FROM generate_series(1, {CROWD}) n;
         ANALYZE"
    )
}

#[tokio::test]
async fn an_accounts_history_costs_what_it_holds_and_not_what_all_others_hold() {
    let crowded = Crowded::open().await;
    let (pool, ada) = (&crowded.pool, crowded.account());
    let limit = Limit::new(Some(5));
    let period = || crowded.day(4)..crowded.day(6);

    let (statement, read) = crowded.cost(statement(pool, ada, Currency::NGN, period(), None, limit)).await;
    let statement = statement.unwrap();
    assert_eq!((statement.entries.len(), statement.opening), (6, 9_817));
    // Twice, the way from a milestone to the entry that is looked for; see the migration that made them.
    assert!(read.most() <= 80, "{read:?}");

    let (page, read) = crowded.cost(entries(pool, ada, Order::NewestFirst, Some(30), limit)).await;
    assert_eq!(page.unwrap().len(), 6);
    assert!(read.most() <= 12, "{read:?}");

    // Of holds, those that it has had by then, and their captures.
    let (past, read) = crowded.cost(balance_at(pool, ada, crowded.day(3))).await;
    let past = past.unwrap();
    assert_eq!((past.posted, past.held), (9_817, 120));
    assert!(read.of("entries") <= 60 && read.most() <= 60, "{read:?}");
}

#[tokio::test]
async fn ending_overdue_holds_costs_what_is_overdue() {
    let crowded = Crowded::open().await;
    let clock: SharedClock = Arc::clone(&crowded.world.clock) as SharedClock;
    let ledger = Ledger::start(crowded.pool.clone(), clock);
    let (ended, read) = crowded.cost(ledger.expire_overdue()).await;
    assert_eq!(ended.unwrap(), 0);
    assert!(read.most() <= 2, "{read:?}");
    crowded.world.clock.advance(TimeDelta::days(3));
    let (ended, read) = crowded.cost(ledger.expire_overdue()).await;
    assert_eq!(ended.unwrap(), 10);
    assert!(read.of("holds") <= 60 && read.most() <= 60, "{read:?}");
}

#[tokio::test]
async fn a_posting_costs_what_it_touches() {
    let crowded = Crowded::open().await;
    let clock: SharedClock = Arc::clone(&crowded.world.clock) as SharedClock;
    let ledger = Ledger::start(crowded.pool.clone(), clock);
    let (ada, bola) = (crowded.ada, crowded.bola);
    let held = hold(ada, 10, crowded.day(20));
    let paid = transfer(ada, bola, 5);
    let (first, read) = crowded.cost(ledger.post(vec![paid.clone(), held.clone()])).await;
    assert!(first.unwrap().iter().all(|result| result.outcome.refusal().is_none()));
    assert!(read.most() <= 40, "{read:?}");
    let list = vec![capture(held.id(), equity(), 5), refund(paid.id(), of(bola), 2)];
    let (second, read) = crowded.cost(ledger.post(list)).await;
    assert!(second.unwrap().iter().all(|result| result.outcome.refusal().is_none()));
    assert!(read.most() <= 40, "{read:?}");
}

#[tokio::test]
async fn verifying_one_account_costs_what_it_holds() {
    let crowded = Crowded::open().await;
    let (report, read) = crowded.cost(verify(&crowded.pool, Some(crowded.account()))).await;
    let report: verify::Report = report.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.counted.entries, report.counted.holds), (31, 10));
    assert!(read.most() <= 600, "{read:?}");
    // Looked through, one table alone would have cost this much.
    let (_, read) = crowded.cost(verify(&crowded.pool, None)).await;
    assert!(read.of("entries") >= CROWD, "{read:?}");
}

/// Entries are found by time through one in 32 of them: more than two times as many, several at the same moment.
#[tokio::test]
async fn every_moment_of_a_long_history_is_found() {
    let world = World::open().await;
    let (_, ada) = world.person_with(0).await;
    let begin = world.clock.now();
    let mut balances = vec![0];
    for second in 0..30 {
        let postings = (0..second % 7).map(|_| transfer_in(ada)).collect::<Vec<_>>();
        balances.push(balances[balances.len() - 1] + i64::try_from(postings.len()).unwrap());
        if !postings.is_empty() {
            world.ledger().post(postings).await.unwrap();
        }
        world.clock.advance(TimeDelta::seconds(1));
    }
    assert!(balances[30] > 64, "{balances:?}");
    let moment = |second: usize| begin + TimeDelta::seconds(i64::try_from(second).unwrap());
    for second in 0..30 {
        let past = balance_at(&world.db.pool, ada.into(), moment(second)).await.unwrap();
        assert_eq!(past.posted, balances[second + 1], "{second}");
        let just_before = moment(second) - TimeDelta::microseconds(1);
        let past = balance_at(&world.db.pool, ada.into(), just_before).await.unwrap();
        assert_eq!(past.posted, balances[second], "before {second}");
        for end in second..30 {
            let period = moment(second)..moment(end);
            let limit = Limit::new(Some(100));
            let told =
                statement(&world.db.pool, ada.into(), Currency::NGN, period, None, limit).await.unwrap();
            assert_eq!((told.opening, told.closing), (balances[second], balances[end]), "{second}..{end}");
            let sum: i64 = told.entries.iter().map(|entry| entry.amount.amount).sum();
            assert_eq!(sum, balances[end] - balances[second], "{second}..{end}");
        }
    }
}

fn transfer_in(wallet: WalletId) -> Posting {
    posting(vec![leg(equity(), of(wallet), 1)])
}
