//! Would a table of entries cut by months be faster? A copy in one piece beside a copy in monthly pieces, with the same
//! columns, checks and indexes.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use common_db::PgPool;
use common_utils::{
    clock::{Clock, SystemClock},
    ids,
};
use sqlx::{AssertSqlSafe, Executor, postgres::PgConnection};
use uuid::Uuid;

use crate::{
    database::Server,
    history::{self, History},
    load::{self, Caller, Measured},
    meter::Meter,
    options::Options,
    quiet,
    table::{Table, milliseconds, ratio, whole},
};

const MONTHS: i32 = 25;
const BATCH: usize = 1_000;
/// Above every number that an account has reached.
static SEQUENCE: AtomicI64 = AtomicI64::new(1 << 40);

const ONE: &str = "CREATE TABLE one_piece (LIKE entries INCLUDING ALL)";
/// A unique key of a partitioned table has to hold what it is cut by.
const MANY: [&str; 4] = [
    "CREATE TABLE monthly (LIKE entries INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (posted_at)",
    "ALTER TABLE monthly ADD PRIMARY KEY (account_id, sequence, posted_at)",
    "CREATE INDEX ON monthly (account_id, posted_at, sequence) WHERE sequence % 32 = 0",
    "CREATE INDEX ON monthly (posting_id)",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Insert,
    Page,
    BalanceAt,
}

impl Operation {
    const ALL: [Self; 3] = [Self::Insert, Self::Page, Self::BalanceAt];

    fn name(self) -> &'static str {
        match self {
            Self::Insert => "1,000 entries inserted and committed",
            Self::Page => "20 newest entries of an account",
            Self::BalanceAt => "balance of an account at a time",
        }
    }

    fn statement(self, table: &str) -> String {
        match self {
            Self::Insert => format!(
                "INSERT INTO {table} (account_id, sequence, id, posting_id, direction, amount, balance_after,
                                      description, posted_at)
                 SELECT account_id, sequence, id, id, 'credit', 1, 1, 'Lunch', $4
                 FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[]) AS new (account_id, sequence, id)"
            ),
            Self::Page => format!(
                "SELECT id, sequence, direction, amount, balance_after, posting_id, description, posted_at
                 FROM {table} WHERE account_id = $1 AND sequence < $2 ORDER BY sequence DESC LIMIT 21"
            ),
            Self::BalanceAt => format!(
                // As the ledger's own function `last_entry` finds it.
                "SELECT balance_after
                 FROM (SELECT COALESCE((SELECT sequence FROM {table}
                                        WHERE account_id = $1 AND sequence % 32 = 0 AND posted_at <= $2
                                        ORDER BY posted_at DESC, sequence DESC LIMIT 1), 0)) milestone (number)
                 JOIN {table} ON sequence >= number AND sequence < number + 32
                 WHERE account_id = $1 AND posted_at <= $2 ORDER BY sequence DESC LIMIT 1"
            ),
        }
    }
}

/// The comparison as text.
pub(crate) async fn compare(
    options: &Options,
    server: &Server,
    meter: &Meter,
    database: &str,
    history: History,
) -> anyhow::Result<String> {
    println!("monthly partitions");
    let pool = server.pool(database, 4);
    copy(&pool, &history).await?;
    let mut table =
        Table::new(&["", "one table: p50 ms", "p99 ms", "monthly: p50 ms", "p99 ms", "of one table"]);
    for operation in Operation::ALL {
        let one = measure(options, meter, &pool, history, operation, "one_piece").await?;
        let many = measure(options, meter, &pool, history, operation, "monthly").await?;
        let (fast, slow) = (one.latencies.p50(), many.latencies.p50());
        table.push(vec![
            operation.name().to_owned(),
            milliseconds(fast),
            milliseconds(one.latencies.p99()),
            milliseconds(slow),
            milliseconds(many.latencies.p99()),
            ratio(slow.as_secs_f64() / fast.as_secs_f64()),
        ]);
    }
    let sizes = "SELECT (pg_total_relation_size('one_piece') / 1000000)::float8,
                        (SELECT sum(pg_total_relation_size(relid)) / 1000000 FROM pg_partition_tree('monthly'))::float8";
    let (one, many): (f64, f64) = sqlx::query_as(sizes).fetch_one(&pool).await?;
    pool.close().await;
    Ok(format!(
        "A copy of the entries of the largest ledger in one table ({} MB with its indexes), and one in {MONTHS} monthly \
         partitions ({} MB); one caller, SQL only.\n\n{table}",
        whole(one),
        whole(many),
    ))
}

async fn copy(pool: &PgPool, history: &History) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?.detach();
    connection.execute(ONE).await?;
    for statement in MANY {
        connection.execute(statement).await?;
    }
    for month in 0..MONTHS {
        partition(&mut connection, history.begins, month).await?;
    }
    for table in ["one_piece", "monthly"] {
        let copied = format!("INSERT INTO {table} SELECT * FROM entries ORDER BY posted_at");
        connection.execute(AssertSqlSafe(copied)).await?;
    }
    drop(connection);
    history::settle(pool).await?;
    Ok(())
}

async fn partition(connection: &mut PgConnection, begins: DateTime<Utc>, month: i32) -> anyhow::Result<()> {
    let bound = |month: i32| (begins + TimeDelta::days(30) * month).format("%Y-%m-%d 00:00:00+00");
    // The last one has the present in it.
    let to = if month + 1 == MONTHS { "MAXVALUE".to_owned() } else { format!("'{}'", bound(month + 1)) };
    let from = if month == 0 { "MINVALUE".to_owned() } else { format!("'{}'", bound(month)) };
    let statement =
        format!("CREATE TABLE monthly_{month} PARTITION OF monthly FOR VALUES FROM ({from}) TO ({to})");
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

async fn measure(
    options: &Options,
    meter: &Meter,
    pool: &PgPool,
    history: History,
    operation: Operation,
    table: &str,
) -> anyhow::Result<Measured> {
    let statement: Arc<str> = operation.statement(table).into();
    quiet::measure(options, meter, async || {
        let caller = SqlCaller { pool: pool.clone(), history, operation, statement: Arc::clone(&statement) };
        load::run(vec![caller], options.short_timing(), meter).await
    })
    .await
}

struct SqlCaller {
    pool: PgPool,
    history: History,
    operation: Operation,
    statement: Arc<str>,
}

impl Caller for SqlCaller {
    async fn call(&mut self) -> anyhow::Result<u32> {
        let query = sqlx::query(AssertSqlSafe(Arc::clone(&self.statement)));
        let query = match self.operation {
            Operation::Insert => {
                let accounts: Vec<Uuid> = (0..BATCH).map(|_| self.account()).collect();
                let first = SEQUENCE.fetch_add(i64::try_from(BATCH)?, Ordering::Relaxed);
                let sequences: Vec<i64> = (first..).take(BATCH).collect();
                let new: Vec<Uuid> = (0..BATCH).map(|_| ids::new_id()).collect();
                query.bind(accounts).bind(sequences).bind(new).bind(SystemClock.now())
            }
            Operation::Page => query.bind(self.account()).bind(i64::MAX),
            Operation::BalanceAt => {
                let seconds = (self.history.ends - self.history.begins).num_seconds();
                let at = self.history.begins + TimeDelta::seconds(rand::random_range(0..seconds));
                query.bind(self.account()).bind(at)
            }
        };
        query.fetch_all(&self.pool).await?;
        Ok(1)
    }
}

impl SqlCaller {
    fn account(&self) -> Uuid {
        History::wallet(rand::random_range(1..=self.history.size.accounts)).uuid()
    }
}
