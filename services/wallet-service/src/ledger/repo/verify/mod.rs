//! The checks of [`crate::ledger::verify`], one statement each. Sums are taken as `numeric`, so that a sum which
//! should not be there does not stop the check.
//!
//! With an account, each is a few look-ups. Parameters are planned as constants, so the half of a condition that does not
//! apply is gone before the plan is made; what a look-up leads to is collected into an array first, because `IN` beside an
//! `OR` would read the table whole.

mod entries;
mod links;

use sqlx::{Connection, Executor, PgConnection, Postgres, Transaction};

use crate::ledger::{
    AccountId,
    verify::{Check, Counted, Difference, FIRST},
};

/// For one check at a time; the letters are `ledger`.
const LOCK: i64 = 0x6c_65_64_67_65_72;

/// Whether this connection is now the one that checks the ledger. It is, until it is closed.
pub(in crate::ledger) async fn try_lead(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"SELECT pg_try_advisory_lock($1) AS "locked!""#, LOCK).fetch_one(connection).await
}

/// A transaction that sees the database as it was at its first statement, and takes as long as it needs.
pub(in crate::ledger) type Snapshot<'a> = Transaction<'a, Postgres>;

pub(in crate::ledger) async fn begin_snapshot(connection: &mut PgConnection) -> sqlx::Result<Snapshot<'_>> {
    let mut op = connection.begin().await?;
    op.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    op.execute("SET LOCAL statement_timeout = 0").await?;
    op.execute("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    // It reads all there is.
    op.execute("SET LOCAL enable_seqscan = on").await?;
    Ok(op)
}

pub(in crate::ledger) async fn counted_in_op(
    op: &mut Snapshot<'_>,
    account: Option<AccountId>,
) -> sqlx::Result<Counted> {
    sqlx::query_as!(
        Counted,
        r#"SELECT (SELECT count(*) FROM accounts WHERE $1::uuid IS NULL OR id = $1) AS "accounts!",
                  CASE WHEN $1::uuid IS NULL THEN (SELECT count(*) FROM postings)
                       ELSE (SELECT count(DISTINCT posting_id) FROM entries WHERE account_id = $1) END
                  AS "postings!",
                  (SELECT count(*) FROM entries WHERE $1::uuid IS NULL OR account_id = $1) AS "entries!",
                  (SELECT count(*) FROM holds WHERE $1::uuid IS NULL OR account_id = $1) AS "holds!""#,
        account.map(AccountId::uuid),
    )
    .fetch_one(&mut **op)
    .await
}

struct Found {
    subject: String,
    detail: String,
}

pub(in crate::ledger) async fn differences_in_op(
    op: &mut Snapshot<'_>,
    check: Check,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Difference>> {
    let found = match check {
        Check::Balances => entries::balances_in_op(op, account).await?,
        Check::Chain => entries::chain_in_op(op, account).await?,
        Check::Times => entries::times_in_op(op, account).await?,
        Check::Bounds => bounds_in_op(op, account).await?,
        Check::Holds => links::holds_in_op(op, account).await?,
        Check::Captures => links::captures_in_op(op, account).await?,
        Check::Outcomes => links::outcomes_in_op(op, account).await?,
        Check::Returns => links::returns_in_op(op, account).await?,
        Check::Postings => entries::postings_in_op(op, account).await?,
        Check::Currencies => currencies_in_op(op, account).await?,
    };
    Ok(found.into_iter().map(|Found { subject, detail }| Difference { check, subject, detail }).collect())
}

async fn bounds_in_op(op: &mut Snapshot<'_>, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'account ' || id AS "subject!", detail AS "detail!"
           FROM (SELECT a.id,
                        CASE WHEN (b.currency, b.status, b.may_overdraw) <> (a.currency, a.status, a.may_overdraw)
                             THEN format('%s %s may overdraw %s, and its balance says %s %s %s', a.currency, a.status,
                                         a.may_overdraw, b.currency, b.status, b.may_overdraw)
                             WHEN NOT a.may_overdraw AND b.posted::numeric - b.held < b.floor
                             THEN format('%s posted and %s held, below its floor of %s', b.posted, b.held, b.floor)
                             WHEN b.posted > b.ceiling
                             THEN format('%s posted, above its ceiling of %s', b.posted, b.ceiling)
                             WHEN a.status = 'closed' AND (b.posted <> 0 OR b.held <> 0)
                             THEN format('closed with %s posted and %s held', b.posted, b.held)
                        END AS detail
                 FROM accounts a JOIN balances b ON b.account_id = a.id
                 WHERE $1::uuid IS NULL OR a.id = $1) bounds
           WHERE detail IS NOT NULL
           ORDER BY id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// A statement about all accounts together, so it has nothing to say about one.
async fn currencies_in_op(op: &mut Snapshot<'_>, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'currency ' || currency AS "subject!", 'all accounts together hold ' || sum(posted) AS "detail!"
           FROM balances WHERE $1::uuid IS NULL
           GROUP BY currency HAVING sum(posted) <> 0 ORDER BY currency LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}
