//! Reading an account's history.

use std::ops::Range;

use chrono::{DateTime, Utc};
use common_db::PgPool;
use common_utils::{http::paging::Limit, money::Money};
use uuid::Uuid;

use crate::ledger::{
    AccountId, LedgerError,
    history::{Entry, Order, PastBalance},
    rules::Direction,
};

/// The balance after the last entry up to `at`. A hold that has ended counts while it lasted.
pub(in crate::ledger) async fn balance_at(
    pool: &PgPool,
    account: AccountId,
    at: DateTime<Utc>,
) -> Result<PastBalance, LedgerError> {
    let row = sqlx::query!(
        r#"SELECT COALESCE((SELECT balance_after FROM entries
                            WHERE account_id = $1 AND sequence = last_entry($1, $2)), 0) AS "posted!",
                  (SELECT COALESCE(sum(h.amount - COALESCE(captured.by_then, 0)), 0)::bigint
                   FROM holds h
                   LEFT JOIN LATERAL (
                       SELECT sum(e.amount) AS by_then FROM postings p JOIN entries e ON e.posting_id = p.id
                       WHERE p.hold_id = h.id AND p.posted_at <= $2
                         AND e.account_id = h.account_id AND e.direction = 'debit') captured ON true
                   WHERE h.account_id = $1 AND h.created_at <= $2
                     AND (h.closed_at IS NULL OR h.closed_at > $2)) AS "held!""#,
        account.uuid(),
        at,
    )
    .fetch_one(pool)
    .await?;
    Ok(PastBalance { posted: row.posted, held: row.held })
}

/// The numbers of the last entries before a period and before its end, 0 where there is none, and the balances after them.
pub(in crate::ledger) async fn period(
    pool: &PgPool,
    account: AccountId,
    period: &Range<DateTime<Utc>>,
) -> sqlx::Result<Period> {
    // Times are kept in microseconds, so what was up to the one before is what was before.
    sqlx::query_as!(
        Period,
        r#"WITH n AS MATERIALIZED (
               SELECT last_entry($1, $2::timestamptz - interval '1 microsecond') AS before,
                      last_entry($1, $3::timestamptz - interval '1 microsecond') AS last
           )
           SELECT n.before AS "before!", n.last AS "last!",
                  COALESCE((SELECT balance_after FROM entries WHERE account_id = $1 AND sequence = n.before), 0)
                  AS "opening!",
                  COALESCE((SELECT balance_after FROM entries WHERE account_id = $1 AND sequence = n.last), 0)
                  AS "closing!"
           FROM n"#,
        account.uuid(),
        period.start,
        period.end,
    )
    .fetch_one(pool)
    .await
}

#[derive(Debug)]
pub(in crate::ledger) struct Period {
    pub before: i64,
    pub last: i64,
    pub opening: i64,
    pub closing: i64,
}

/// The entries with these numbers, oldest first.
pub(in crate::ledger) async fn numbered(
    pool: &PgPool,
    account: AccountId,
    after: i64,
    up_to: i64,
    limit: Limit,
) -> Result<Vec<Entry>, LedgerError> {
    oldest_first(pool, account, after, up_to, limit).await?.into_iter().map(Entry::try_from).collect()
}

struct Row {
    id: Uuid,
    sequence: i64,
    direction: String,
    amount: i64,
    currency: String,
    balance_after: i64,
    posting_id: Uuid,
    description: String,
    posted_at: DateTime<Utc>,
}

/// Two statements rather than one with a switch in it: each walks the primary key in its own direction.
pub(in crate::ledger) async fn entries(
    pool: &PgPool,
    account: AccountId,
    order: Order,
    after: Option<i64>,
    limit: Limit,
) -> Result<Vec<Entry>, LedgerError> {
    let rows = match order {
        Order::NewestFirst => newest_first(pool, account, after.unwrap_or(i64::MAX), limit).await?,
        Order::OldestFirst => oldest_first(pool, account, after.unwrap_or(0), i64::MAX, limit).await?,
    };
    rows.into_iter().map(Entry::try_from).collect()
}

async fn newest_first(
    pool: &PgPool,
    account: AccountId,
    before: i64,
    limit: Limit,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT e.id, e.sequence, e.direction, e.amount, a.currency, e.balance_after, e.posting_id, e.description,
                e.posted_at
         FROM entries e JOIN accounts a ON a.id = e.account_id
         WHERE e.account_id = $1 AND e.sequence < $2 ORDER BY e.sequence DESC LIMIT $3",
        account.uuid(),
        before,
        limit.rows(),
    )
    .fetch_all(pool)
    .await
}

async fn oldest_first(
    pool: &PgPool,
    account: AccountId,
    after: i64,
    up_to: i64,
    limit: Limit,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        "SELECT e.id, e.sequence, e.direction, e.amount, a.currency, e.balance_after, e.posting_id, e.description,
                e.posted_at
         FROM entries e JOIN accounts a ON a.id = e.account_id
         WHERE e.account_id = $1 AND e.sequence > $2 AND e.sequence <= $3
         ORDER BY e.sequence LIMIT $4",
        account.uuid(),
        after,
        up_to,
        limit.rows(),
    )
    .fetch_all(pool)
    .await
}

impl TryFrom<Row> for Entry {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let currency = row.currency.parse().map_err(|error| LedgerError::corrupt(&error))?;
        let direction = match row.direction.as_str() {
            "debit" => Direction::Debit,
            "credit" => Direction::Credit,
            other => return Err(LedgerError::corrupt(&other)),
        };
        Ok(Self {
            id: row.id,
            sequence: row.sequence,
            direction,
            amount: Money::new(row.amount, currency),
            balance_after: row.balance_after,
            posting_id: row.posting_id.into(),
            description: row.description,
            posted_at: row.posted_at,
        })
    }
}
