//! All SQL about erasing people.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

use super::entity::Erasure;

pub(super) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<Erasure>> {
    sqlx::query_as!(
        Erasure,
        r#"SELECT user_id AS "user", erased_at, evidence_until FROM erasures WHERE user_id = $1"#,
        user.uuid(),
    )
    .fetch_optional(db)
    .await
}

pub(super) async fn insert_in_op(op: &mut Op, erasure: &Erasure, profile: &[u8]) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO erasures (user_id, profile, erased_at, evidence_until) VALUES ($1, $2, $3, $4)",
        erasure.user.uuid(),
        profile,
        erasure.erased_at,
        erasure.evidence_until,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What nobody has to keep goes at once: how the person signed in, what they were sent, and from where they came. Ended sessions
/// stay as long as others do, without their origin.
pub(super) async fn forget_access_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    let id = user.uuid();
    sqlx::query!("DELETE FROM password_credentials WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM password_resets WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM one_time_codes WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM api_keys WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!(
        "DELETE FROM refresh_tokens WHERE session_id IN (SELECT id FROM sessions WHERE user_id = $1)",
        id,
    )
    .execute(&mut **op)
    .await?;
    sqlx::query!("UPDATE sessions SET device = NULL, address = NULL WHERE user_id = $1", id)
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// Second factors, passkeys, devices and the PIN, with what was begun with them.
pub(super) async fn forget_factors_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    let id = user.uuid();
    sqlx::query!("DELETE FROM sign_in_challenges WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM totp_factors WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM transaction_pins WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM passkey_ceremonies WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM passkeys WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM passkey_owners WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM device_challenges WHERE user_id = $1", id).execute(&mut **op).await?;
    sqlx::query!("DELETE FROM devices WHERE user_id = $1", id).execute(&mut **op).await?;
    Ok(())
}

/// Somebody whose evidence need not be kept any more, since when.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) user: UserId,
    evidence_until: DateTime<Utc>,
}

/// The next of them after this one.
pub(super) async fn next_due(
    db: impl PgExecutor<'_>,
    after: Option<&Due>,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<Due>> {
    sqlx::query_as!(
        Due,
        r#"SELECT user_id AS "user", evidence_until FROM erasures
           WHERE forgotten_at IS NULL AND evidence_until <= $1
             AND ($2::timestamptz IS NULL OR (evidence_until, user_id) > ($2, $3::uuid))
           ORDER BY evidence_until, user_id LIMIT 1"#,
        now,
        after.map(|due| due.evidence_until),
        after.map(|due| due.user.uuid()),
    )
    .fetch_optional(db)
    .await
}

/// False where another instance has the person, or has forgotten them. They are this transaction's alone until it ends.
pub(super) async fn take_due_in_op(op: &mut Op, user: UserId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "SELECT user_id FROM erasures WHERE user_id = $1 AND forgotten_at IS NULL AND evidence_until <= $2
         FOR UPDATE SKIP LOCKED",
        user.uuid(),
        now,
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(taken.is_some())
}

pub(super) async fn forget_in_op(op: &mut Op, user: UserId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE erasures SET profile = NULL, forgotten_at = $2 WHERE user_id = $1",
        user.uuid(),
        now
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
