//! All SQL about bound devices and what they are asked to sign.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;

use super::{
    entity::{Caller, Challenge, ChallengeId, Device, DeviceId, Platform, Purpose},
    error::DeviceError,
    key::PublicKey,
};
use crate::key_name::KeyName;

/// A device as its owner sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) platform: String,
    pub(crate) activated_at: DateTime<Utc>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
}

/// What becomes a device when it has signed.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Enrolment {
    /// SubjectPublicKeyInfo.
    pub(super) key: Vec<u8>,
    pub(super) name: String,
    pub(super) platform: Platform,
}

pub(super) async fn insert_in_op(op: &mut Op, device: &Device, enrolment: &Enrolment) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO devices (id, user_id, public_key, name, platform, activated_at) VALUES ($1, $2, $3, $4, $5, $6)",
        device.id.uuid(),
        device.user_id.uuid(),
        enrolment.key,
        enrolment.name,
        enrolment.platform.name(),
        device.activated_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The person's devices, oldest first.
pub(super) async fn ids(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Vec<DeviceId>> {
    let ids = sqlx::query_scalar!("SELECT id FROM devices WHERE user_id = $1 ORDER BY id", user.uuid());
    Ok(ids.fetch_all(db).await?.into_iter().map(DeviceId::from).collect())
}

pub(super) async fn find(db: impl PgExecutor<'_>, id: DeviceId) -> Result<Option<Device>, DeviceError> {
    let row =
        sqlx::query!("SELECT id, user_id, public_key, activated_at FROM devices WHERE id = $1", id.uuid())
            .fetch_optional(db)
            .await?;
    row.map(|row| {
        Ok(Device {
            id: row.id.into(),
            user_id: row.user_id.into(),
            key: PublicKey::from_spki(&row.public_key)?,
            activated_at: row.activated_at,
        })
    })
    .transpose()
}

pub(super) async fn used_in_op(op: &mut Op, id: DeviceId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE devices SET last_used_at = $2 WHERE id = $1", id.uuid(), now)
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// The person's devices, newest first; ids grow with time.
pub(super) async fn list(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        "SELECT id, name, platform, activated_at, last_used_at FROM devices
         WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        user.uuid(),
        before,
        rows,
    )
    .fetch_all(pool)
    .await
}

/// None where the person has no such device.
pub(super) async fn rename(
    pool: &PgPool,
    user: UserId,
    id: DeviceId,
    name: &KeyName,
) -> sqlx::Result<Option<Listed>> {
    sqlx::query_as!(
        Listed,
        "UPDATE devices SET name = $3 WHERE id = $1 AND user_id = $2
         RETURNING id, name, platform, activated_at, last_used_at",
        id.uuid(),
        user.uuid(),
        name.as_str(),
    )
    .fetch_optional(pool)
    .await
}

/// False where the person has no such device.
pub(super) async fn delete_in_op(op: &mut Op, user: UserId, id: DeviceId) -> sqlx::Result<bool> {
    let gone = sqlx::query!("DELETE FROM devices WHERE id = $1 AND user_id = $2", id.uuid(), user.uuid());
    Ok(gone.execute(&mut **op).await?.rows_affected() > 0)
}

pub(super) async fn delete_all_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM devices WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

pub(super) async fn insert_challenge(
    db: impl PgExecutor<'_>,
    challenge: &Challenge,
    enrolment: Option<&Enrolment>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let caller = challenge.purpose.caller();
    sqlx::query!(
        "INSERT INTO device_challenges (id, purpose, device_id, user_id, session_id, nonce, enrolment, created_at,
                                        expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        challenge.id.uuid(),
        challenge.purpose.name(),
        challenge.device.uuid(),
        caller.map(|Caller { user, .. }| user.uuid()),
        caller.map(|Caller { session, .. }| session),
        &challenge.nonce[..],
        enrolment.map(Json) as _,
        now,
        challenge.expires_at,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the challenge out, by one statement of its own: of two uses at once one finds it, and none finds it again. None, too, for one
/// that is over, or is for something else or somebody else.
pub(super) async fn take_challenge(
    pool: &PgPool,
    id: ChallengeId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<(Challenge, Option<Enrolment>)>, DeviceError> {
    let caller = purpose.caller();
    let row = sqlx::query!(
        r#"DELETE FROM device_challenges
           WHERE id = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3
             AND session_id IS NOT DISTINCT FROM $4 AND expires_at > $5
           RETURNING device_id, nonce, enrolment AS "enrolment: Json<Enrolment>", expires_at"#,
        id.uuid(),
        purpose.name(),
        caller.map(|Caller { user, .. }| user.uuid()),
        caller.map(|Caller { session, .. }| session),
        now,
    )
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        let nonce = row.nonce.try_into().map_err(|_| DeviceError::Corrupt("a nonce".to_owned()))?;
        let device = row.device_id.into();
        let challenge = Challenge { id, device, purpose, nonce, expires_at: row.expires_at };
        Ok((challenge, row.enrolment.map(|enrolment| enrolment.0)))
    })
    .transpose()
}

/// Those of the person's sessions: the others are of no person yet.
pub(super) async fn delete_challenges_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM device_challenges WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

/// Forgets up to `limit` challenges that are over.
pub(super) async fn purge(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM device_challenges WHERE id IN (
             SELECT id FROM device_challenges WHERE expires_at <= $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
