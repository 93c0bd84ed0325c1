//! All SQL about one-time codes.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;

use super::entity::{Purpose, StoredCode};

pub(super) struct NewCode {
    pub(super) contact: Vec<u8>,
    pub(super) code_hash: [u8; 32],
    pub(super) created_at: DateTime<Utc>,
    pub(super) expires_at: DateTime<Utc>,
}

/// In the place of the one before.
pub(super) async fn replace_in_op(
    op: &mut Op,
    user: UserId,
    purpose: Purpose,
    code: &NewCode,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO one_time_codes (user_id, purpose, contact, code_hash, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT one_time_codes_pkey DO UPDATE
         SET contact = EXCLUDED.contact, code_hash = EXCLUDED.code_hash, created_at = EXCLUDED.created_at,
             expires_at = EXCLUDED.expires_at, attempts = 0, used_at = NULL",
        user.uuid(),
        purpose.name(),
        code.contact,
        &code.code_hash[..],
        code.created_at,
        code.expires_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) struct Row {
    pub(super) contact: Vec<u8>,
    pub(super) code: StoredCode,
}

/// Locked until the transaction ends: attempts follow one another.
pub(super) async fn find_locked_in_op(
    op: &mut Op,
    user: UserId,
    purpose: Purpose,
) -> sqlx::Result<Option<Row>> {
    let row = sqlx::query!(
        "SELECT contact, code_hash, attempts, expires_at, used_at FROM one_time_codes
         WHERE user_id = $1 AND purpose = $2 FOR UPDATE",
        user.uuid(),
        purpose.name(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(|row| Row {
        contact: row.contact,
        code: StoredCode {
            hash: row.code_hash,
            attempts: row.attempts,
            expires_at: row.expires_at,
            used_at: row.used_at,
        },
    }))
}

pub(super) async fn update_in_op(
    op: &mut Op,
    user: UserId,
    purpose: Purpose,
    code: &StoredCode,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE one_time_codes SET attempts = $3, used_at = $4 WHERE user_id = $1 AND purpose = $2",
        user.uuid(),
        purpose.name(),
        code.attempts,
        code.used_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn delete_in_op(op: &mut Op, user: UserId, purposes: &[Purpose]) -> sqlx::Result<()> {
    let names: Vec<&str> = purposes.iter().map(|purpose| purpose.name()).collect();
    sqlx::query!(
        "DELETE FROM one_time_codes WHERE user_id = $1 AND purpose = ANY($2)",
        user.uuid(),
        &names as _,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Forgets codes that expired before `before`; tells how many.
pub(super) async fn purge(pool: &PgPool, before: DateTime<Utc>, at_most: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM one_time_codes WHERE (user_id, purpose) IN (
             SELECT user_id, purpose FROM one_time_codes WHERE expires_at < $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        at_most,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
