//! What an account's history says. Every answer is a few index look-ups and short index ranges, whatever the table's size: by
//! number directly, by time through the milestone before it and at most 31 entries behind that. Only what was held at a time
//! reads all holds that the account had placed by then.

use std::ops::Range;

use chrono::{DateTime, Utc};
use common_db::PgPool;
use common_utils::{
    http::paging::Limit,
    ids::TransactionId,
    money::{Currency, Money},
};
use uuid::Uuid;

use super::{AccountId, LedgerError, repo, rules::Direction};

/// An entry as its account's owner reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: Uuid,
    pub sequence: i64,
    pub direction: Direction,
    pub amount: Money,
    pub balance_after: i64,
    pub posting_id: TransactionId,
    pub description: String,
    pub posted_at: DateTime<Utc>,
}

/// Which entries come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    OldestFirst,
    NewestFirst,
}

/// What was posted to the account, and of it held, at a moment that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastBalance {
    pub posted: i64,
    pub held: i64,
}

pub async fn balance_at(
    pool: &PgPool,
    account: AccountId,
    at: DateTime<Utc>,
) -> Result<PastBalance, LedgerError> {
    repo::balance_at(pool, account, at).await
}

/// Entries in this order, from the one behind `after` on.
pub async fn entries(
    pool: &PgPool,
    account: AccountId,
    order: Order,
    after: Option<i64>,
    limit: Limit,
) -> Result<Vec<Entry>, LedgerError> {
    repo::entries(pool, account, order, after, limit).await
}

/// What happened to an account in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub currency: Currency,
    /// Posted when the period began; what happened at its first moment belongs to it.
    pub opening: i64,
    /// Oldest first; a page of them, from the one behind `after` on.
    pub entries: Vec<Entry>,
    /// Posted when the period ended; what happened at its last moment does not belong to it.
    pub closing: i64,
}

/// The statement for `from` up to but without `to`.
pub async fn statement(
    pool: &PgPool,
    account: AccountId,
    currency: Currency,
    period: Range<DateTime<Utc>>,
    after: Option<i64>,
    limit: Limit,
) -> Result<Statement, LedgerError> {
    let numbers = repo::period(pool, account, &period).await?;
    // Entries never change, so what these numbers say stays true while the entries are read.
    let after = after.unwrap_or(0).max(numbers.before);
    let entries = repo::numbered(pool, account, after, numbers.last, limit).await?;
    let (opening, closing) = (numbers.opening, numbers.closing);
    Ok(Statement { currency, opening, entries, closing })
}
