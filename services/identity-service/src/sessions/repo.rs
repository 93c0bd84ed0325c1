//! All SQL about sessions and their refresh tokens.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use uuid::Uuid;

use super::{
    entity::{EndReason, Session, SessionId, StoredToken, Which},
    token::RefreshToken,
};

pub(crate) async fn insert_in_op(op: &mut Op, session: &Session, first: &RefreshToken) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO sessions (id, user_id, generation, created_at, last_used_at, expires_at)
         VALUES ($1, $2, $3, $4, $4, $5)",
        session.id.uuid(),
        session.user_id.uuid(),
        session.generation,
        session.created_at,
        session.expires_at,
    )
    .execute(&mut **op)
    .await?;
    insert_token_in_op(op, session.id, session.generation, first, session.created_at).await
}

async fn insert_token_in_op(
    op: &mut Op,
    session: SessionId,
    generation: i32,
    token: &RefreshToken,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO refresh_tokens (token_hash, session_id, generation, created_at) VALUES ($1, $2, $3, $4)",
        &token.hash()[..],
        session.uuid(),
        generation,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The session that the token belongs to, locked: two uses of one token follow one another.
pub(crate) async fn find_locked_in_op(op: &mut Op, token: &RefreshToken) -> sqlx::Result<Option<Session>> {
    let row = sqlx::query!(
        "SELECT id, user_id, generation, created_at, expires_at, ended_at FROM sessions
         WHERE id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1) FOR UPDATE",
        &token.hash()[..],
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(|row| Session {
        id: row.id.into(),
        user_id: row.user_id.into(),
        generation: row.generation,
        created_at: row.created_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
    }))
}

/// Reads the token. A statement of its own, after the lock: it sees what whoever held the lock has written.
pub(crate) async fn find_token_in_op(op: &mut Op, token: &RefreshToken) -> sqlx::Result<Option<StoredToken>> {
    sqlx::query_as!(
        StoredToken,
        "SELECT generation, replaced_at, sealed_successor FROM refresh_tokens WHERE token_hash = $1",
        &token.hash()[..],
    )
    .fetch_optional(&mut **op)
    .await
}

/// Puts `successor` in force in the place of the session's last token, and forgets the successor before.
pub(crate) async fn rotate_in_op(
    op: &mut Op,
    session: &Session,
    successor: &RefreshToken,
    sealed: &[u8],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let generation = session.generation.saturating_add(1);
    sqlx::query!(
        "UPDATE sessions SET generation = $2, last_used_at = $3 WHERE id = $1",
        session.id.uuid(),
        generation,
        now,
    )
    .execute(&mut **op)
    .await?;
    sqlx::query!(
        "UPDATE refresh_tokens
         SET sealed_successor = CASE WHEN generation = $2 THEN $3::bytea END,
             replaced_at = CASE WHEN generation = $2 THEN $4 ELSE replaced_at END
         WHERE session_id = $1 AND generation IN ($2, $2 - 1)",
        session.id.uuid(),
        session.generation,
        sealed,
        now,
    )
    .execute(&mut **op)
    .await?;
    insert_token_in_op(op, session.id, generation, successor, now).await
}

pub(crate) async fn end_in_op(
    op: &mut Op,
    session: SessionId,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE sessions SET ended_at = $2, end_reason = $3 WHERE id = $1 AND ended_at IS NULL",
        session.uuid(),
        now,
        reason.name(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Ends somebody's sessions. Tells how many there were to end.
pub(crate) async fn end_those_in_op(
    op: &mut Op,
    user: UserId,
    which: Which,
    reason: EndReason,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let kept = match which {
        Which::Others(kept) => Some(kept.uuid()),
        Which::All => None,
    };
    let ended = sqlx::query!(
        "UPDATE sessions SET ended_at = $3, end_reason = $4
         WHERE user_id = $1 AND ended_at IS NULL AND id IS DISTINCT FROM $2",
        user.uuid(),
        kept,
        now,
        reason.name(),
    )
    .execute(&mut **op)
    .await?;
    Ok(ended.rows_affected())
}

/// Ends the person's session `current` and the one of `token`, if it is theirs. Tells how many there were to end.
pub(crate) async fn log_out(
    pool: &PgPool,
    user: UserId,
    current: Uuid,
    token: Option<&RefreshToken>,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let hash = token.map(|token| token.hash().to_vec());
    let ended = sqlx::query!(
        "UPDATE sessions SET ended_at = $4, end_reason = $5
         WHERE user_id = $1 AND ended_at IS NULL
           AND (id = $2 OR id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $3))",
        user.uuid(),
        current,
        hash,
        now,
        EndReason::Logout.name(),
    )
    .execute(pool)
    .await?;
    Ok(ended.rows_affected())
}

/// Forgets up to `limit` sessions that expired before `before`, with their tokens.
pub(crate) async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )",
        before,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
