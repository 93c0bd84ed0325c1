//! All SQL about transaction PINs.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;

use super::entity::StoredPin;

/// Whatever it was before, and whether it was locked.
pub(super) async fn set_in_op(op: &mut Op, user: UserId, hash: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO transaction_pins (user_id, hash, set_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT transaction_pins_pkey DO UPDATE
         SET hash = EXCLUDED.hash, set_at = EXCLUDED.set_at, failures = 0, locked_at = NULL",
        user.uuid(),
        hash,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Locked until the transaction ends: attempts follow one another.
pub(super) async fn find_locked_in_op(op: &mut Op, user: UserId) -> sqlx::Result<Option<StoredPin>> {
    sqlx::query_as!(
        StoredPin,
        "SELECT hash, failures, locked_at FROM transaction_pins WHERE user_id = $1 FOR UPDATE",
        user.uuid(),
    )
    .fetch_optional(&mut **op)
    .await
}

pub(super) async fn count_in_op(op: &mut Op, user: UserId, pin: &StoredPin) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE transaction_pins SET failures = $2, locked_at = $3 WHERE user_id = $1",
        user.uuid(),
        pin.failures,
        pin.locked_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn delete_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM transaction_pins WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}
