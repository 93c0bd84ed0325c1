//! All SQL about passkeys and their ceremonies.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgExecutor, types::Json};
use uuid::Uuid;
use webauthn_rs::prelude::Passkey;

use super::{
    ceremony::{CeremonyId, LIFETIME, Purpose},
    entity::{PasskeyId, StoredPasskey},
};
use crate::key_name::KeyName;

/// A passkey as its owner sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_used_at: Option<DateTime<Utc>>,
    pub(crate) disabled_at: Option<DateTime<Utc>>,
}

/// How authenticators know the person; chosen when it is first asked for. Under the lock of the person's row.
pub(super) async fn handle_in_op(op: &mut Op, user: UserId, fresh: Uuid) -> sqlx::Result<Uuid> {
    sqlx::query!(
        "INSERT INTO passkey_owners (user_id, handle) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT passkey_owners_pkey DO NOTHING",
        user.uuid(),
        fresh,
    )
    .execute(&mut **op)
    .await?;
    sqlx::query_scalar!("SELECT handle FROM passkey_owners WHERE user_id = $1", user.uuid())
        .fetch_one(&mut **op)
        .await
}

pub(super) async fn insert_in_op(
    op: &mut Op,
    id: PasskeyId,
    user: UserId,
    passkey: &Passkey,
    name: &KeyName,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO passkeys (id, user_id, credential_id, credential, name, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        id.uuid(),
        user.uuid(),
        passkey.cred_id().as_slice(),
        Json(passkey) as _,
        name.as_str(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The credentials of all passkeys that the person has, disabled ones among them.
pub(super) async fn credentials(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!("SELECT credential_id FROM passkeys WHERE user_id = $1 ORDER BY id", user.uuid())
        .fetch_all(db)
        .await
}

/// Those that prove something.
pub(super) async fn usable_credentials(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT credential_id FROM passkeys WHERE user_id = $1 AND disabled_at IS NULL ORDER BY id",
        user.uuid(),
    )
    .fetch_all(db)
    .await
}

/// Whose passkey it is.
pub(super) async fn owner(db: impl PgExecutor<'_>, credential: &[u8]) -> sqlx::Result<Option<UserId>> {
    let owner = sqlx::query_scalar!("SELECT user_id FROM passkeys WHERE credential_id = $1", credential);
    Ok(owner.fetch_optional(db).await?.map(UserId::from))
}

/// Under the lock of the owner's row, by which two uses follow one another.
pub(super) async fn find_in_op(op: &mut Op, credential: &[u8]) -> sqlx::Result<Option<StoredPasskey>> {
    let row = sqlx::query!(
        r#"SELECT p.id, p.user_id, o.handle, p.credential AS "credential: Json<Passkey>", p.disabled_at
           FROM passkeys p JOIN passkey_owners o ON o.user_id = p.user_id WHERE p.credential_id = $1"#,
        credential,
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(|row| StoredPasskey {
        id: row.id.into(),
        user_id: row.user_id.into(),
        handle: row.handle,
        credential: row.credential.0,
        disabled_at: row.disabled_at,
    }))
}

pub(super) async fn used_in_op(op: &mut Op, passkey: &StoredPasskey, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE passkeys SET credential = $2, last_used_at = $3 WHERE id = $1",
        passkey.id.uuid(),
        Json(&passkey.credential) as _,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn disable_in_op(op: &mut Op, id: PasskeyId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE passkeys SET disabled_at = $2 WHERE id = $1", id.uuid(), now)
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// The person's passkeys, newest first; ids grow with time.
pub(super) async fn list(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    rows: i64,
) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        "SELECT id, name, created_at, last_used_at, disabled_at FROM passkeys
         WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        user.uuid(),
        before,
        rows,
    )
    .fetch_all(pool)
    .await
}

/// None where the person has no such passkey.
pub(super) async fn rename(
    pool: &PgPool,
    user: UserId,
    id: PasskeyId,
    name: &KeyName,
) -> sqlx::Result<Option<Listed>> {
    sqlx::query_as!(
        Listed,
        "UPDATE passkeys SET name = $3 WHERE id = $1 AND user_id = $2
         RETURNING id, name, created_at, last_used_at, disabled_at",
        id.uuid(),
        user.uuid(),
        name.as_str(),
    )
    .fetch_optional(pool)
    .await
}

/// False where the person has no such passkey.
pub(super) async fn delete_in_op(op: &mut Op, user: UserId, id: PasskeyId) -> sqlx::Result<bool> {
    let gone = sqlx::query!("DELETE FROM passkeys WHERE id = $1 AND user_id = $2", id.uuid(), user.uuid());
    Ok(gone.execute(&mut **op).await?.rows_affected() > 0)
}

pub(super) async fn delete_all_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM passkeys WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

pub(super) async fn begin_ceremony(
    db: impl PgExecutor<'_>,
    id: CeremonyId,
    purpose: Purpose,
    state: &(impl Serialize + Sync),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO passkey_ceremonies (id, purpose, user_id, bound_to, state, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        purpose.name(),
        purpose.user().map(UserId::uuid),
        purpose.bound_to(),
        Json(state) as _,
        now,
        now + LIFETIME,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Takes the ceremony out, by one statement of its own: of two uses at once one finds it, and none finds it again. None, too, for one
/// that is over, or is for something else or somebody else.
pub(super) async fn take_ceremony<T: DeserializeOwned>(
    pool: &PgPool,
    id: CeremonyId,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<T>> {
    let state = sqlx::query_scalar!(
        "DELETE FROM passkey_ceremonies
         WHERE id = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3 AND bound_to IS NOT DISTINCT FROM $4
           AND expires_at > $5
         RETURNING state",
        id.uuid(),
        purpose.name(),
        purpose.user().map(UserId::uuid),
        purpose.bound_to(),
        now,
    )
    .fetch_optional(pool)
    .await?;
    state
        .map(|state| serde_json::from_value(state).map_err(|error| sqlx::Error::Decode(error.into())))
        .transpose()
}

pub(super) async fn delete_ceremonies_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM passkey_ceremonies WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

/// Forgets up to `limit` ceremonies that are over.
pub(super) async fn purge(pool: &PgPool, now: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM passkey_ceremonies WHERE id IN (
             SELECT id FROM passkey_ceremonies WHERE expires_at <= $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
