//! The queue of messages: what is written, what is due, what has ended, and how it stands.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use uuid::Uuid;

use super::entity::{Channel, End, LEASE, Message};

pub(super) struct NewNotice<'a> {
    pub(super) id: Uuid,
    pub(super) message: &'a Message,
    pub(super) sealed: Vec<u8>,
}

pub(super) async fn insert_in_op(
    op: &mut Op,
    notices: &[NewNotice<'_>],
    correlation_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO notices (id, channel, kind, content, correlation_id, created_at, expires_at, next_attempt_at)
         SELECT new.id, new.channel, new.kind, new.content, $6, $7, new.expires_at, $7
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::timestamptz[])
              AS new (id, channel, kind, content, expires_at)",
        &notices.iter().map(|notice| notice.id).collect::<Vec<_>>(),
        &notices.iter().map(|notice| notice.message.channel.name()).collect::<Vec<_>>() as _,
        &notices.iter().map(|notice| notice.message.kind.name()).collect::<Vec<_>>() as _,
        &notices.iter().map(|notice| notice.sealed.as_slice()).collect::<Vec<_>>() as _,
        &notices.iter().map(|notice| notice.message.expires_at).collect::<Vec<_>>(),
        correlation_id,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// A message that a worker has taken.
pub(super) struct Taken {
    pub(super) id: Uuid,
    pub(super) kind: String,
    pub(super) content: Vec<u8>,
    pub(super) correlation_id: String,
    pub(super) expires_at: DateTime<Utc>,
    /// With this one.
    pub(super) attempts: i32,
}

/// Takes what is due, under a lease.
pub(super) async fn take(
    pool: &PgPool,
    channel: Channel,
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Taken>> {
    sqlx::query_as!(
        Taken,
        r#"UPDATE notices SET next_attempt_at = $3, attempts = attempts + 1
           WHERE id IN (SELECT id FROM notices
                        WHERE channel = $1 AND status = 'pending' AND next_attempt_at <= $2
                        ORDER BY next_attempt_at LIMIT $4 FOR UPDATE SKIP LOCKED)
           RETURNING id, kind, content AS "content!", correlation_id, expires_at, attempts"#,
        channel.name(),
        now,
        now + LEASE,
        at_most,
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn sent_since(pool: &PgPool, channel: Channel, since: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "sent!" FROM notices WHERE channel = $1 AND status = 'sent' AND ended_at > $2"#,
        channel.name(),
        since,
    )
    .fetch_one(pool)
    .await
}

/// Ends a message and erases what it said. One that has ended stays as it is.
pub(super) async fn end(pool: &PgPool, id: Uuid, end: End, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE notices SET status = $2, ended_at = $3, content = NULL WHERE id = $1 AND status = 'pending'",
        id,
        end.name(),
        now,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Only by who made the last attempt: after a lost lease, another one decides.
pub(super) async fn postpone(
    pool: &PgPool,
    id: Uuid,
    attempts: i32,
    until: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE notices SET next_attempt_at = $3 WHERE id = $1 AND status = 'pending' AND attempts = $2",
        id,
        attempts,
        until,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets messages that ended before `before`; tells how many.
pub(super) async fn purge(pool: &PgPool, before: DateTime<Utc>, at_most: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM notices WHERE id IN (
             SELECT id FROM notices WHERE status <> 'pending' AND ended_at < $1
             ORDER BY ended_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        at_most,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}

/// How a channel stands: for the gauges.
pub(super) struct Standing {
    pub(super) pending: i64,
    pub(super) oldest_seconds: f64,
}

/// No more than `most` of what is pending are counted.
pub(super) async fn standing(
    pool: &PgPool,
    channel: Channel,
    most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"SELECT count(*) AS "pending!",
                  COALESCE(extract(epoch FROM $2::timestamptz - min(created_at)), 0)::float8 AS "oldest_seconds!"
           FROM (SELECT created_at FROM notices
                 WHERE channel = $1 AND status = 'pending' ORDER BY next_attempt_at LIMIT $3) AS counted"#,
        channel.name(),
        now,
        most,
    )
    .fetch_one(pool)
    .await
}
