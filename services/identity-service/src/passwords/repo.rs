//! All SQL about changing passwords and forgotten ones.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;
use uuid::Uuid;

use crate::{
    crypto::token::SecretToken,
    users::{ContactKind, UnknownContactKind},
};

pub(super) async fn find_hash(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT hash FROM password_credentials WHERE user_id = $1", user.uuid())
        .fetch_optional(db)
        .await
}

/// Only in the place of the one that is known; false when it is another one by now.
pub(super) async fn replace_in_op(
    op: &mut Op,
    user: UserId,
    known: &str,
    hash: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let replaced = sqlx::query!(
        "UPDATE password_credentials SET hash = $3, changed_at = $4 WHERE user_id = $1 AND hash = $2",
        user.uuid(),
        known,
        hash,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(replaced.rows_affected() == 1)
}

/// Whatever it was before.
pub(super) async fn set_in_op(op: &mut Op, user: UserId, hash: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO password_credentials (user_id, hash, changed_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT password_credentials_pkey DO UPDATE SET hash = EXCLUDED.hash, changed_at = EXCLUDED.changed_at",
        user.uuid(),
        hash,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Unless more than `most` wait.
pub(super) async fn note(
    pool: &PgPool,
    id: Uuid,
    identifier: &[u8],
    correlation_id: &str,
    most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let written = sqlx::query!(
        "INSERT INTO forgotten_passwords (id, identifier, correlation_id, created_at)
         SELECT $1, $2, $3, $5
         WHERE (SELECT count(*) FROM (SELECT FROM forgotten_passwords LIMIT $4) AS waiting) < $4",
        id,
        identifier,
        correlation_id,
        most,
        now,
    )
    .execute(pool)
    .await?;
    Ok(written.rows_affected() == 1)
}

pub(super) struct Forgotten {
    pub(super) id: Uuid,
    pub(super) identifier: Vec<u8>,
    pub(super) correlation_id: String,
}

/// Those that were written before `before`: whoever asked has asked again by now, or does not wait any more.
pub(super) async fn drop_old(pool: &PgPool, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM forgotten_passwords WHERE id IN (
             SELECT id FROM forgotten_passwords WHERE created_at < $1 FOR UPDATE SKIP LOCKED)",
        before
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}

/// The oldest that nobody else has, out of the queue with the transaction's commit.
pub(super) async fn take_in_op(op: &mut Op) -> sqlx::Result<Option<Forgotten>> {
    sqlx::query_as!(
        Forgotten,
        "DELETE FROM forgotten_passwords WHERE id IN (
             SELECT id FROM forgotten_passwords ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, identifier, correlation_id",
    )
    .fetch_optional(&mut **op)
    .await
}

/// In the place of the one before.
pub(super) async fn write_reset_in_op(
    op: &mut Op,
    user: UserId,
    token: &SecretToken,
    sent_to: ContactKind,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO password_resets (user_id, token_hash, sent_to, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT ON CONSTRAINT password_resets_pkey DO UPDATE
         SET token_hash = EXCLUDED.token_hash, sent_to = EXCLUDED.sent_to, created_at = EXCLUDED.created_at,
             expires_at = EXCLUDED.expires_at",
        user.uuid(),
        &token.hash()[..],
        sent_to.name(),
        now,
        expires_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Whose the token is, while it is good.
pub(super) async fn find_reset(
    pool: &PgPool,
    token: &SecretToken,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<UserId>> {
    let user = sqlx::query_scalar!(
        "SELECT user_id FROM password_resets WHERE token_hash = $1 AND expires_at > $2",
        &token.hash()[..],
        now,
    )
    .fetch_optional(pool)
    .await?;
    Ok(user.map(UserId::from))
}

/// Once, and tells what it was sent to; none when it was used, replaced or has expired.
pub(super) async fn use_reset_in_op(
    op: &mut Op,
    user: UserId,
    token: &SecretToken,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<ContactKind>> {
    let sent_to = sqlx::query_scalar!(
        "DELETE FROM password_resets WHERE token_hash = $1 AND user_id = $2 AND expires_at > $3 RETURNING sent_to",
        &token.hash()[..],
        user.uuid(),
        now,
    )
    .fetch_optional(&mut **op)
    .await?;
    sent_to
        .map(|name| name.parse().map_err(|error: UnknownContactKind| sqlx::Error::Decode(error.into())))
        .transpose()
}

pub(super) async fn delete_resets_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM password_resets WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

pub(super) async fn purge_resets(pool: &PgPool, before: DateTime<Utc>, at_most: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM password_resets WHERE user_id IN (
             SELECT user_id FROM password_resets WHERE expires_at < $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        at_most,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
