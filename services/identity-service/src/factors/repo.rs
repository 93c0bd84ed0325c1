//! All SQL about second factors and the sign-ins that wait for them.

use chrono::{DateTime, Utc};
use common_auth::Method;
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;

use super::challenge::StoredChallenge;
use crate::crypto::token::SecretToken;

// Sign-ins under way

pub(super) async fn insert_challenge_in_op(
    op: &mut Op,
    user: UserId,
    token: &SecretToken,
    methods: &[Method],
    (created_at, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> sqlx::Result<()> {
    let methods: Vec<&str> = methods.iter().map(|method| method.amr()).collect();
    sqlx::query!(
        "INSERT INTO sign_in_challenges (token_hash, user_id, methods, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
        &token.hash()[..],
        user.uuid(),
        &methods as _,
        created_at,
        expires_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Keeps the newest `kept`.
pub(super) async fn make_room_in_op(op: &mut Op, user: UserId, kept: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM sign_in_challenges WHERE token_hash IN (
             SELECT token_hash FROM sign_in_challenges WHERE user_id = $1
             ORDER BY created_at DESC, token_hash OFFSET $2)",
        user.uuid(),
        kept,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Who goes on with it, while it is in force.
pub(super) async fn find_owner(
    pool: &PgPool,
    token: &SecretToken,
    now: DateTime<Utc>,
) -> sqlx::Result<Option<UserId>> {
    let user = sqlx::query_scalar!(
        "SELECT user_id FROM sign_in_challenges WHERE token_hash = $1 AND expires_at > $2",
        &token.hash()[..],
        now,
    )
    .fetch_optional(pool)
    .await?;
    Ok(user.map(UserId::from))
}

pub(super) async fn find_challenge_locked_in_op(
    op: &mut Op,
    token: &SecretToken,
) -> sqlx::Result<Option<StoredChallenge>> {
    let row = sqlx::query!(
        "SELECT methods, attempts, expires_at FROM sign_in_challenges WHERE token_hash = $1 FOR UPDATE",
        &token.hash()[..],
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(|row| StoredChallenge {
        methods: row.methods.iter().filter_map(|method| method.parse().ok()).collect(),
        attempts: row.attempts,
        expires_at: row.expires_at,
    }))
}

pub(super) async fn count_attempt_in_op(op: &mut Op, token: &SecretToken, attempts: i16) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sign_in_challenges SET attempts = $2 WHERE token_hash = $1",
        &token.hash()[..],
        attempts
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn delete_challenge_in_op(op: &mut Op, token: &SecretToken) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sign_in_challenges WHERE token_hash = $1", &token.hash()[..])
        .execute(&mut **op)
        .await?;
    Ok(())
}

pub(super) async fn delete_challenges_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM sign_in_challenges WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

// Authenticator apps

/// In the place of one that waits to be confirmed; a confirmed one stays.
pub(super) async fn write_waiting_in_op(
    op: &mut Op,
    user: UserId,
    secret: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO totp_factors (user_id, secret, created_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT totp_factors_pkey DO UPDATE
         SET secret = EXCLUDED.secret, created_at = EXCLUDED.created_at
         WHERE totp_factors.confirmed_at IS NULL",
        user.uuid(),
        secret,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The secret that waits to be confirmed, if it was made after `oldest`.
pub(super) async fn find_waiting_in_op(
    op: &mut Op,
    user: UserId,
    oldest: DateTime<Utc>,
) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT secret FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL AND created_at > $2",
        user.uuid(),
        oldest,
    )
    .fetch_optional(&mut **op)
    .await
}

pub(super) async fn confirm_in_op(
    op: &mut Op,
    user: UserId,
    step: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE totp_factors SET confirmed_at = $3, last_step = $2 WHERE user_id = $1 AND confirmed_at IS NULL",
        user.uuid(),
        step,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(super) async fn find_confirmed_in_op(op: &mut Op, user: UserId) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(
        "SELECT secret FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL",
        user.uuid(),
    )
    .fetch_optional(&mut **op)
    .await
}

pub(super) async fn find_confirmed_at(pool: &PgPool, user: UserId) -> sqlx::Result<Option<DateTime<Utc>>> {
    let found = sqlx::query_scalar!("SELECT confirmed_at FROM totp_factors WHERE user_id = $1", user.uuid())
        .fetch_optional(pool)
        .await?;
    Ok(found.flatten())
}

/// False where a code of this step or a later one was taken before.
pub(super) async fn use_step_in_op(op: &mut Op, user: UserId, step: i64) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "UPDATE totp_factors SET last_step = $2 WHERE user_id = $1 AND confirmed_at IS NOT NULL AND last_step < $2",
        user.uuid(),
        step,
    )
    .execute(&mut **op)
    .await?;
    Ok(taken.rows_affected() == 1)
}

pub(super) async fn delete_totp_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM totp_factors WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

pub(super) async fn delete_waiting_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL", user.uuid())
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// By which key one of the secrets was encrypted; all were by the same.
pub(super) async fn any_key_id(pool: &PgPool) -> sqlx::Result<Option<Vec<u8>>> {
    sqlx::query_scalar!(r#"SELECT substring(secret FROM 2 FOR 8) AS "id!" FROM totp_factors LIMIT 1"#)
        .fetch_optional(pool)
        .await
}

// Recovery codes

pub(super) async fn replace_recovery_codes_in_op(
    op: &mut Op,
    user: UserId,
    hashes: &[[u8; 32]],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    delete_recovery_codes_in_op(op, user).await?;
    let hashes: Vec<&[u8]> = hashes.iter().map(<[u8; 32]>::as_slice).collect();
    sqlx::query!(
        "INSERT INTO recovery_codes (user_id, code_hash, created_at)
         SELECT $1, new.code_hash, $3 FROM UNNEST($2::bytea[]) AS new (code_hash)",
        user.uuid(),
        &hashes as &[&[u8]],
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Once.
pub(super) async fn use_recovery_code_in_op(
    op: &mut Op,
    user: UserId,
    hash: &[u8; 32],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let taken = sqlx::query!(
        "UPDATE recovery_codes SET used_at = $3 WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL",
        user.uuid(),
        &hash[..],
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Those that are left.
pub(super) async fn count_recovery_codes(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "left!" FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL"#,
        user.uuid(),
    )
    .fetch_one(db)
    .await
}

pub(super) async fn delete_recovery_codes_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM recovery_codes WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}

// Both

/// Forgets up to `limit` of each kind that were over before `before`.
pub(super) async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let challenges = sqlx::query!(
        "DELETE FROM sign_in_challenges WHERE token_hash IN (
             SELECT token_hash FROM sign_in_challenges WHERE expires_at < $1
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    )
    .execute(pool)
    .await?;
    let waiting = sqlx::query!(
        "DELETE FROM totp_factors WHERE user_id IN (
             SELECT user_id FROM totp_factors WHERE confirmed_at IS NULL AND created_at < $1
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(challenges.rows_affected().max(waiting.rows_affected()))
}
