//! What an account's history says. Every answer is one index look-up or one short index range, whatever the table's
//! size.

use chrono::{DateTime, Utc};
use common_db::PgPool;
use common_utils::{http::paging::Limit, ids::TransactionId, money::Money};
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
