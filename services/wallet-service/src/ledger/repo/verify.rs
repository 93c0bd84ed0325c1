//! The checks of [`crate::ledger::verify`], one statement each. Sums are taken as `numeric`, so that a sum which
//! should not be there does not stop the check.

use common_db::{Op, PgPool};
use sqlx::Executor;

use crate::ledger::{
    AccountId,
    verify::{Check, Counted, Difference, FIRST},
};

/// A transaction that sees the database as it was at its first statement, and takes as long as it needs.
pub(in crate::ledger) async fn begin_snapshot(pool: &PgPool) -> sqlx::Result<Op> {
    let mut op = common_db::begin(pool).await?;
    op.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    op.execute("SET LOCAL statement_timeout = 0").await?;
    Ok(op)
}

pub(in crate::ledger) async fn counted_in_op(
    op: &mut Op,
    account: Option<AccountId>,
) -> sqlx::Result<Counted> {
    sqlx::query_as!(
        Counted,
        r#"SELECT (SELECT count(*) FROM accounts WHERE $1::uuid IS NULL OR id = $1) AS "accounts!",
                  (SELECT count(*) FROM postings p
                   WHERE $1::uuid IS NULL
                      OR EXISTS (SELECT FROM entries e WHERE e.posting_id = p.id AND e.account_id = $1))
                  AS "postings!",
                  (SELECT count(*) FROM entries WHERE $1::uuid IS NULL OR account_id = $1) AS "entries!""#,
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
    op: &mut Op,
    check: Check,
    account: Option<AccountId>,
) -> sqlx::Result<Vec<Difference>> {
    let found = match check {
        Check::Balances => balances_in_op(op, account).await?,
        Check::Chain => chain_in_op(op, account).await?,
        Check::Times => times_in_op(op, account).await?,
        Check::Holds => holds_in_op(op, account).await?,
        Check::Outcomes => outcomes_in_op(op, account).await?,
        Check::Postings => postings_in_op(op, account).await?,
        Check::Currencies => currencies_in_op(op, account).await?,
    };
    Ok(found.into_iter().map(|Found { subject, detail }| Difference { check, subject, detail }).collect())
}

async fn balances_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'account ' || a.id AS "subject!",
                  format('balance %s after %s entries, but entries sum to %s and are %s',
                         COALESCE(b.posted::text, 'missing'), COALESCE(b.entries::text, 'no'), e.total, e.entries)
                  AS "detail!"
           FROM accounts a
           LEFT JOIN balances b ON b.account_id = a.id
           LEFT JOIN (SELECT account_id, count(*) AS entries,
                             sum(CASE direction WHEN 'credit' THEN amount ELSE -amount END) AS total
                      FROM entries WHERE $1::uuid IS NULL OR account_id = $1 GROUP BY account_id) known
                  ON known.account_id = a.id
           CROSS JOIN LATERAL (SELECT COALESCE(known.entries, 0) AS entries, COALESCE(known.total, 0) AS total) e
           WHERE ($1::uuid IS NULL OR a.id = $1)
             AND (b.posted IS DISTINCT FROM e.total OR b.entries IS DISTINCT FROM e.entries)
           ORDER BY a.id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

async fn chain_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT format('account %s, entry %s', account_id, sequence) AS "subject!",
                  format('follows entry %s with balance %s, and says %s %s makes %s',
                         before, balance_before, direction, amount, balance_after) AS "detail!"
           FROM (SELECT account_id, sequence, direction, amount, balance_after,
                        lag(sequence, 1, 0::bigint) OVER own AS before,
                        lag(balance_after, 1, 0::bigint) OVER own AS balance_before
                 FROM entries WHERE $1::uuid IS NULL OR account_id = $1
                 WINDOW own AS (PARTITION BY account_id ORDER BY sequence)) chain
           WHERE sequence <> before + 1
              OR balance_after <> balance_before::numeric
                                  + CASE direction WHEN 'credit' THEN amount ELSE -amount END
           ORDER BY account_id, sequence LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

async fn times_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT format('account %s, entry %s', account_id, sequence) AS "subject!",
                  format('of %s follows one of %s', posted_at, before) AS "detail!"
           FROM (SELECT account_id, sequence, posted_at,
                        lag(posted_at) OVER (PARTITION BY account_id ORDER BY sequence) AS before
                 FROM entries WHERE $1::uuid IS NULL OR account_id = $1) chain
           WHERE posted_at < before
           ORDER BY account_id, sequence LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

async fn holds_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'account ' || b.account_id AS "subject!",
                  format('%s held, but open holds sum to %s', b.held, COALESCE(open.total, 0)) AS "detail!"
           FROM balances b
           LEFT JOIN (SELECT account_id, sum(amount - captured) AS total
                      FROM holds WHERE status = 'held' GROUP BY account_id) open
                  ON open.account_id = b.account_id
           WHERE ($1::uuid IS NULL OR b.account_id = $1) AND b.held <> COALESCE(open.total, 0)
           ORDER BY b.account_id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// Holds and releases set money aside or free it, and move none. A posting without entries touches no account, so with an
/// account only wrong entries of its own are found.
async fn outcomes_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'posting ' || p.id AS "subject!", format('is %s and has %s entries', p.outcome, e.entries) AS "detail!"
           FROM postings p
           LEFT JOIN (SELECT posting_id, count(*) AS entries FROM entries
                      WHERE $1::uuid IS NULL OR account_id = $1 GROUP BY posting_id) known
                  ON known.posting_id = p.id
           CROSS JOIN LATERAL (SELECT COALESCE(known.entries, 0) AS entries) e
           WHERE ($1::uuid IS NULL OR e.entries > 0)
             AND (p.outcome = 'posted' AND p.type NOT IN ('hold', 'release')) <> (e.entries > 0)
           ORDER BY p.id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

async fn postings_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
    sqlx::query_as!(
        Found,
        r#"SELECT 'posting ' || posting_id AS "subject!",
                  format('credits less debits are %s %s', sum(signed), currency) AS "detail!"
           FROM (SELECT e.posting_id, a.currency,
                        CASE e.direction WHEN 'credit' THEN e.amount ELSE -e.amount END AS signed
                 FROM entries e JOIN accounts a ON a.id = e.account_id
                 WHERE $1::uuid IS NULL
                    OR e.posting_id IN (SELECT own.posting_id FROM entries own WHERE own.account_id = $1)) sides
           GROUP BY posting_id, currency HAVING sum(signed) <> 0
           ORDER BY posting_id LIMIT $2"#,
        account.map(AccountId::uuid),
        FIRST,
    )
    .fetch_all(&mut **op)
    .await
}

/// A statement about all accounts together, so it has nothing to say about one.
async fn currencies_in_op(op: &mut Op, account: Option<AccountId>) -> sqlx::Result<Vec<Found>> {
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
