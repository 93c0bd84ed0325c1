//! Where holds are overdue. They are read in `known.rs` and written in `write.rs`, as all holds are.

use chrono::{DateTime, Utc};
use common_db::PgPool;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ledger::{Account, AccountId};

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

/// Whether the time of a hold of these accounts is over.
pub(in crate::ledger) async fn any_overdue(
    connection: &mut PgConnection,
    accounts: &[Account],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let holding = accounts.iter().filter(|account| account.standing.held > 0);
    let holding: Vec<Uuid> = holding.map(|account| account.id.uuid()).collect();
    if holding.is_empty() {
        return Ok(false);
    }
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM holds WHERE account_id = ANY($1) AND status = 'held' AND expires_at <= $2)
           AS "any!""#,
        &holding,
        now,
    )
    .fetch_one(connection)
    .await
}
