//! The lease by which requests and recovery keep out of each other's way.
//!
//! What a limit has refused has a lease that does not end, so that a release that knows no limits never takes it up. It is taken by
//! its age, and may be by several at a time: it only ends, and the first to settle it ends it for all.

use chrono::{DateTime, Utc};
use common_db::PgPool;
use common_utils::ids::TransactionId;
use sqlx::types::Uuid;

use crate::transactions::{
    Transaction,
    row::{Row, query_transactions},
};

/// Takes over transfers whose lease is over, each for one taker only; and what a limit has refused of those begun before `since`.
pub(in crate::transfers) async fn take_expired(
    pool: &PgPool,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    since: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<Transaction>> {
    let rows = query_transactions!(
        "WITH expired AS (
             SELECT id FROM transactions WHERE status = 'initiated' AND leased_until <= $1
             ORDER BY leased_until LIMIT $3 FOR UPDATE SKIP LOCKED
         ), taken AS (
             UPDATE transactions t SET leased_until = $2 FROM expired WHERE t.id = expired.id RETURNING t.*
         ), refused AS (
             SELECT * FROM transactions
             WHERE status = 'initiated' AND leased_until = '9999-12-31T00:00:00Z' AND over_limit IS NOT NULL
               AND created_at <= $4
             LIMIT $3
         )",
        " FROM (SELECT * FROM taken UNION ALL SELECT * FROM refused) AS t ORDER BY t.created_at, t.id",
        now,
        until,
        most,
        since,
    );
    // One that cannot be read must not keep the others from being ended.
    let readable = |row: Row| {
        let read = Transaction::try_from(row);
        read.inspect_err(|error| tracing::error!(%error, "a transfer is left to people")).ok()
    };
    Ok(rows.fetch_all(pool).await?.into_iter().filter_map(readable).collect())
}

/// Takes over one transfer, if its lease is over; or if a limit has refused it and it was begun before `since`.
pub(in crate::transfers) async fn take_over(
    pool: &PgPool,
    id: TransactionId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<Transaction>> {
    let rows = query_transactions!(
        "WITH taken AS (
             UPDATE transactions SET leased_until = $3
             WHERE id = $1 AND status = 'initiated' AND leased_until <= $2 RETURNING *
         ), refused AS (
             SELECT * FROM transactions
             WHERE id = $1 AND status = 'initiated' AND over_limit IS NOT NULL AND created_at <= $4
         )",
        " FROM (SELECT * FROM taken UNION ALL SELECT * FROM refused) AS t",
        id.uuid(),
        now,
        until,
        since,
    );
    rows.fetch_optional(pool).await?.map(Transaction::try_from).transpose()
}

/// Ends leases early, after a failure that is known. A lease that somebody else has taken since is left alone.
pub(in crate::transfers) async fn release(
    pool: &PgPool,
    held: &[&Transaction],
    until: DateTime<Utc>,
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = held.iter().map(|transfer| transfer.id.uuid()).collect();
    let leases: Vec<Option<DateTime<Utc>>> = held.iter().map(|transfer| transfer.leased_until).collect();
    sqlx::query!(
        "WITH mine AS (
             SELECT t.id FROM transactions t
             JOIN UNNEST($1::uuid[], $2::timestamptz[]) AS held (id, leased_until)
                  ON t.id = held.id AND t.leased_until = held.leased_until
             WHERE t.status = 'initiated' ORDER BY t.id FOR UPDATE OF t
         )
         UPDATE transactions t SET leased_until = $3 FROM mine WHERE t.id = mine.id",
        &ids,
        &leases as &[Option<DateTime<Utc>>],
        until,
    )
    .execute(pool)
    .await?;
    Ok(())
}

pub(in crate::transfers) async fn count_initiated(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "open!" FROM transactions WHERE status = 'initiated'"#)
        .fetch_one(pool)
        .await
}
