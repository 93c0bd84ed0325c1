//! Where holds are overdue. They are read in `known.rs` and written in `write.rs`, as all holds are.

use chrono::{DateTime, Utc};
use common_db::PgPool;

use crate::ledger::AccountId;

/// Accounts with such holds, longest overdue first.
pub(in crate::ledger) async fn accounts_with_overdue(
    pool: &PgPool,
    now: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<AccountId>> {
    let ids = sqlx::query_scalar!(
        "SELECT account_id FROM holds WHERE status = 'held' AND expires_at <= $1 ORDER BY expires_at LIMIT $2",
        now,
        most,
    )
    .fetch_all(pool)
    .await?;
    Ok(ids.into_iter().map(AccountId::from).collect())
}
