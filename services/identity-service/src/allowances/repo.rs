//! All SQL about allowances.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};

/// What was taken, locked until the transaction ends.
pub(super) async fn lock_in_op(
    op: &mut Op,
    key: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<DateTime<Utc>>> {
    sqlx::query!(
        "INSERT INTO allowances (key, taken_at, last_at) VALUES ($1, '{}', $2)
         ON CONFLICT ON CONSTRAINT allowances_pkey DO NOTHING",
        key,
        now,
    )
    .execute(&mut **op)
    .await?;
    // A row that was deleted in between is as good as one that nothing was taken of.
    let taken = sqlx::query_scalar!("SELECT taken_at FROM allowances WHERE key = $1 FOR UPDATE", key)
        .fetch_optional(&mut **op)
        .await?;
    Ok(taken.unwrap_or_default())
}

pub(super) async fn write_in_op(
    op: &mut Op,
    key: &[u8],
    taken: &[DateTime<Utc>],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO allowances (key, taken_at, last_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT allowances_pkey DO UPDATE SET taken_at = EXCLUDED.taken_at, last_at = EXCLUDED.last_at",
        key,
        taken,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn delete(pool: &PgPool, key: &[u8]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM allowances WHERE key = $1", key).execute(pool).await?;
    Ok(())
}

pub(super) async fn purge(pool: &PgPool, before: DateTime<Utc>, at_most: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM allowances WHERE key IN (
             SELECT key FROM allowances WHERE last_at < $1 ORDER BY last_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        at_most,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
