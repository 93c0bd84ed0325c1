//! A ledger with a past: accounts and entries over two years, written with SQL, as exact as if they had been posted.
//!
//! Everybody is funded first; then anybody pays anybody. Every tenth payment goes to one merchant, the first wallet.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{PgPool, migrate};
use common_utils::{
    clock::{Clock, SystemClock},
    ids::{UserId, WalletId},
};
use sqlx::{Executor, PgConnection};
use uuid::Uuid;

use crate::database::Server;

const PAST: TimeDelta = TimeDelta::days(730);
const WALLETS_A_PERSON: u64 = 5;
/// Postings that are written in one statement.
const AT_ONCE: u64 = 250_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) accounts: u64,
    pub(crate) entries: u64,
}

/// What was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    pub(crate) size: Size,
    pub(crate) begins: DateTime<Utc>,
    pub(crate) ends: DateTime<Utc>,
}

impl History {
    /// The wallets are numbered from 1; the merchant is the first.
    pub(crate) fn wallet(number: u64) -> WalletId {
        Uuid::from_u128(0x7000_8000_0000_0000_0000 | u128::from(number)).into()
    }

    pub(crate) fn owner(wallet: u64) -> UserId {
        let person = (wallet - 1) / WALLETS_A_PERSON;
        Uuid::from_u128(1 << 96 | 0x7000_8000_0000_0000_0000 | u128::from(person)).into()
    }

    pub(crate) fn wallets(&self) -> Arc<[WalletId]> {
        (1..=self.size.accounts).map(Self::wallet).collect()
    }

    pub(crate) fn postings(&self) -> u64 {
        self.size.entries / 2
    }
}

/// The ids that [`History`] knows. They grow with time, as those of the platform do.
const NAMES: &str = "
    CREATE FUNCTION pg_temp.account(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
        $$SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid$$;
    CREATE FUNCTION pg_temp.person(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
        $$SELECT ('00000001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid$$;
    CREATE FUNCTION pg_temp.posting(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
        $$SELECT ('00000002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid$$;
    CREATE FUNCTION pg_temp.entry(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
        $$SELECT ('00000003-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid$$;
    SET work_mem = '1GB'";

/// Accounts; 0 is the platform's own.
const ACCOUNTS: [&str; 3] = [
    "INSERT INTO accounts (id, kind, code, currency, may_overdraw, created_at)
     VALUES (pg_temp.account(0), 'equity', 'equity', 'NGN', true, $1)",
    "INSERT INTO accounts (id, kind, currency, created_at)
     SELECT pg_temp.account(n), 'customer', 'NGN', $1 FROM generate_series(1, $2::bigint) n",
    "INSERT INTO wallets (id, user_id, currency, place, created_at)
     SELECT pg_temp.account(n), pg_temp.person((n - 1) / $3), 'NGN', (n - 1) % $3, $1
     FROM generate_series(1, $2::bigint) n",
];

/// Who pays whom: first the platform everybody, then anybody anybody else.
const MOVES: &str = "
    CREATE TEMP TABLE moves AS
    SELECT i, payer, CASE WHEN payee = payer THEN payee % $1 + 1 ELSE payee END AS payee, amount
    FROM (SELECT i,
                 CASE WHEN i <= $1 THEN 0 ELSE 1 + (hashint8extended(i, 1) & 9007199254740991) % $1 END AS payer,
                 CASE WHEN i <= $1 THEN i
                      WHEN i % 10 = 0 THEN 1
                      ELSE 1 + (hashint8extended(i, 2) & 9007199254740991) % $1 END AS payee,
                 CASE WHEN i <= $1 THEN 1000000000 ELSE 1 + i % 100 END AS amount
          FROM generate_series(1, $2::bigint) i) drawn";

/// Every entry, numbered and with the balance after it.
const SIDES: &str = "
    CREATE TEMP TABLE sides AS
    SELECT i, n, direction, amount, row_number() OVER own AS sequence, sum(signed) OVER own AS balance_after
    FROM (SELECT i, payer AS n, 'debit' AS direction, amount, -amount AS signed FROM moves
          UNION ALL SELECT i, payee, 'credit', amount, amount FROM moves) both_sides
    WINDOW own AS (PARTITION BY n ORDER BY i) ORDER BY i";

const POSTINGS: &str = "
    INSERT INTO postings (id, content_hash, type, outcome, posted_at)
    SELECT pg_temp.posting(i), sha256(i::text::bytea), 'transfer', 'posted', $1::timestamptz + i * $2::interval
    FROM generate_series($3::bigint, $4::bigint) i";

const ENTRIES: &str = "
    INSERT INTO entries (account_id, sequence, id, posting_id, direction, amount, balance_after, description, posted_at)
    SELECT pg_temp.account(n), sequence, pg_temp.entry(2 * i + (direction = 'credit')::int), pg_temp.posting(i),
           direction, amount, balance_after, 'Lunch', $1::timestamptz + i * $2::interval
    FROM sides WHERE i BETWEEN $3 AND $4 ORDER BY i";

const BALANCES: &str = "
    INSERT INTO balances (account_id, currency, may_overdraw, posted, entries, updated_at)
    SELECT pg_temp.account(n), 'NGN', n = 0, sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END),
           count(*), $1::timestamptz + max(i) * $2::interval
    FROM sides GROUP BY n";

/// Makes the database anew and fills it. Indexes and constraints are in place all the time.
pub(crate) async fn fill(server: &Server, name: &str, size: Size) -> anyhow::Result<History> {
    anyhow::ensure!(size.entries >= 4 * size.accounts, "everybody is funded and moves something");
    server.drop(name).await?;
    migrate::run(&server.config(name), &wallet_service::migrations(), migrate::Mode::Apply).await?;
    let pool = server.pool(name, 1);
    let ends = SystemClock.now() - TimeDelta::minutes(1);
    let history = History { size, begins: ends - PAST, ends };
    // Temporary tables and functions are this connection's.
    let mut connection = pool.acquire().await?.detach();
    write(&mut connection, &history).await?;
    drop(connection);
    settle(&pool).await?;
    pool.close().await;
    Ok(history)
}

async fn write(connection: &mut PgConnection, history: &History) -> anyhow::Result<()> {
    let (begins, postings) = (history.begins, i64::try_from(history.postings())?);
    let accounts = i64::try_from(history.size.accounts)?;
    let pause = PAST / i32::try_from(postings)?;
    connection.execute(NAMES).await?;
    for statement in ACCOUNTS {
        // Each uses what it needs of these.
        let statement = statement.replace("$3", &WALLETS_A_PERSON.to_string());
        let query = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).bind(begins);
        let query = if statement.contains("$2") { query.bind(accounts) } else { query };
        query.execute(&mut *connection).await?;
    }
    sqlx::query(MOVES).bind(accounts).bind(postings).execute(&mut *connection).await?;
    connection.execute(SIDES).await?;
    connection.execute("CREATE INDEX ON sides (i)").await?;
    for from in (1..=history.postings()).step_by(usize::try_from(AT_ONCE)?) {
        let to = (from + AT_ONCE - 1).min(history.postings());
        for statement in [POSTINGS, ENTRIES] {
            sqlx::query(statement)
                .bind(begins)
                .bind(pause)
                .bind(i64::try_from(from)?)
                .bind(i64::try_from(to)?)
                .execute(&mut *connection)
                .await?;
        }
    }
    sqlx::query(BALANCES).bind(begins).bind(pause).execute(&mut *connection).await?;
    Ok(())
}

/// What autovacuum would do by and by, and what a checkpoint would do in the middle of a load.
pub(crate) async fn settle(pool: &PgPool) -> sqlx::Result<()> {
    pool.execute("VACUUM (ANALYZE)").await?;
    pool.execute("CHECKPOINT").await?;
    Ok(())
}
