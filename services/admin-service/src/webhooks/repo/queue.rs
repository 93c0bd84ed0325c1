//! The queue: what came in, what is due, what waits no more, and what is old.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids;
use uuid::Uuid;

use super::super::delivery::LEASE;

/// An event that somebody gets.
#[derive(Debug)]
pub(in crate::webhooks) struct NewMessage {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) event_type: String,
    pub(in crate::webhooks) occurred_at: DateTime<Utc>,
    pub(in crate::webhooks) payload: String,
    pub(in crate::webhooks) receivers: Vec<Uuid>,
}

/// Writes messages and a delivery for each that gets one. What was there before stays.
pub(in crate::webhooks) async fn insert_in_op(
    op: &mut Op,
    messages: &[NewMessage],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let texts = |of: fn(&NewMessage) -> &str| messages.iter().map(of).collect::<Vec<&str>>();
    sqlx::query!(
        "INSERT INTO webhook_messages (id, event_type, occurred_at, payload, received_at)
         SELECT new.id, new.event_type, new.occurred_at, new.payload, $5
         FROM UNNEST($1::uuid[], $2::text[], $3::timestamptz[], $4::text[]) AS new (id, event_type, occurred_at, payload)
         ORDER BY new.id
         ON CONFLICT ON CONSTRAINT webhook_messages_pkey DO NOTHING",
        &messages.iter().map(|message| message.id).collect::<Vec<_>>(),
        &texts(|message| &message.event_type) as _,
        &messages.iter().map(|message| message.occurred_at).collect::<Vec<_>>(),
        &texts(|message| &message.payload) as _,
        now,
    )
    .execute(&mut **op)
    .await?;
    let pairs: Vec<(&NewMessage, Uuid)> = messages
        .iter()
        .flat_map(|message| message.receivers.iter().map(move |endpoint| (message, *endpoint)))
        .collect();
    sqlx::query!(
        "INSERT INTO webhook_deliveries (id, endpoint_id, message_id, event_type, status, created_at, next_attempt_at)
         SELECT new.id, new.endpoint_id, new.message_id, new.event_type, 'pending', $5, $5
         FROM UNNEST($1::uuid[], $2::uuid[], $3::uuid[], $4::text[]) AS new (id, endpoint_id, message_id, event_type)
         ORDER BY new.message_id, new.endpoint_id
         ON CONFLICT ON CONSTRAINT webhook_deliveries_once_key DO NOTHING",
        &pairs.iter().map(|_| ids::new_id()).collect::<Vec<_>>(),
        &pairs.iter().map(|(_, endpoint)| *endpoint).collect::<Vec<_>>(),
        &pairs.iter().map(|(message, _)| message.id).collect::<Vec<_>>(),
        &pairs.iter().map(|(message, _)| message.event_type.as_str()).collect::<Vec<_>>() as _,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Which endpoints are served, and how much at a time.
#[derive(Debug)]
pub(in crate::webhooks) struct Round<'a> {
    /// Those whose attempts fail, or the others.
    pub(in crate::webhooks) failing: bool,
    /// Attempts of this process that are under way, by endpoint.
    pub(in crate::webhooks) in_flight: &'a HashMap<Uuid, i32>,
    pub(in crate::webhooks) an_endpoint: i32,
    pub(in crate::webhooks) in_all: i64,
    /// The endpoint that was served last: those behind it come first.
    pub(in crate::webhooks) after: Uuid,
}

/// A delivery that was taken.
#[derive(Debug)]
pub(in crate::webhooks) struct Taken {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) endpoint_id: Uuid,
    pub(in crate::webhooks) generation: i32,
    pub(in crate::webhooks) message_id: Uuid,
    pub(in crate::webhooks) url: String,
    pub(in crate::webhooks) payload: String,
}

/// Takes what is due, under a lease.
pub(in crate::webhooks) async fn take_in_op(
    op: &mut Op,
    round: &Round<'_>,
    lease: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Taken>> {
    let (endpoints, in_flight): (Vec<Uuid>, Vec<i32>) = round.in_flight.iter().unzip();
    sqlx::query_as!(
        Taken,
        "WITH due AS MATERIALIZED (
             SELECT next.id
             FROM (SELECT e.id, COALESCE(busy.in_flight, 0) AS in_flight
                   FROM webhook_endpoints e
                   LEFT JOIN UNNEST($2::uuid[], $3::integer[]) AS busy (endpoint_id, in_flight) ON busy.endpoint_id = e.id
                   WHERE e.status = 'enabled' AND (e.failing_since IS NOT NULL) = $4
                   ORDER BY e.id <= $5, e.id) AS e
             CROSS JOIN LATERAL (
                 SELECT d.id FROM webhook_deliveries d
                 WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.next_attempt_at <= $1
                 ORDER BY d.next_attempt_at LIMIT GREATEST(0, $6 - e.in_flight)
                 FOR UPDATE SKIP LOCKED) AS next
             LIMIT $7)
         UPDATE webhook_deliveries d SET next_attempt_at = $8, lease = $9
         FROM due, webhook_messages m, webhook_endpoints e
         WHERE d.id = due.id AND m.id = d.message_id AND e.id = d.endpoint_id
         RETURNING d.id, d.endpoint_id, e.generation, d.message_id, e.url, m.payload",
        now,
        &endpoints,
        &in_flight,
        round.failing,
        round.after,
        round.an_endpoint,
        round.in_all,
        now + LEASE,
        lease,
    )
    .fetch_all(&mut **op)
    .await
}

/// Ends what waits for an endpoint that is not enabled, and is not under way; tells how many of them.
pub(in crate::webhooks) async fn cancel_in_op(
    op: &mut Op,
    endpoint: Uuid,
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let cancelled = sqlx::query!(
        "UPDATE webhook_deliveries SET status = 'cancelled', ended_at = $3, next_attempt_at = NULL, lease = NULL
         WHERE id IN (SELECT id FROM webhook_deliveries
                      WHERE endpoint_id = $1 AND status = 'pending' AND (lease IS NULL OR next_attempt_at <= $3)
                      LIMIT $2 FOR UPDATE SKIP LOCKED)",
        endpoint,
        at_most,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(cancelled.rows_affected())
}

/// Endpoints for which something waits in vain.
pub(in crate::webhooks) async fn idle_endpoints(
    pool: &PgPool,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT e.id FROM webhook_endpoints e
         WHERE e.status <> 'enabled' AND EXISTS (
             SELECT FROM webhook_deliveries d
             WHERE d.endpoint_id = e.id AND d.status = 'pending' AND (d.lease IS NULL OR d.next_attempt_at <= $1))",
        now,
    )
    .fetch_all(pool)
    .await
}

/// Endpoints that are enabled, and for which at least so many wait.
pub(in crate::webhooks) async fn overdue_endpoints(pool: &PgPool, many: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT e.id FROM webhook_endpoints e
         WHERE e.status = 'enabled' AND $1 <= (
             SELECT count(*) FROM (SELECT FROM webhook_deliveries d
                                   WHERE d.endpoint_id = e.id AND d.status = 'pending' LIMIT $1) AS counted)",
        many,
    )
    .fetch_all(pool)
    .await
}

/// Whether something waits for its next attempt.
pub(in crate::webhooks) async fn has_waiting_in_op(op: &mut Op, endpoint: Uuid) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM webhook_deliveries WHERE endpoint_id = $1 AND status = 'pending' AND lease IS NULL)
           AS "pending!""#,
        endpoint,
    )
    .fetch_one(&mut **op)
    .await
}

/// Deletes messages of before `before` with all that is known of them, but for those that are still to be sent; tells how many.
pub(in crate::webhooks) async fn delete_old(
    pool: &PgPool,
    before: DateTime<Utc>,
    at_most: i64,
) -> sqlx::Result<u64> {
    let deleted = sqlx::query!(
        "DELETE FROM webhook_messages WHERE id IN (
             SELECT id FROM webhook_messages m
             WHERE received_at < $1
               AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.message_id = m.id AND d.status = 'pending')
             ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        at_most,
    )
    .execute(pool)
    .await?;
    Ok(deleted.rows_affected())
}

/// Deletes what nothing refers to any more: endpoints that were deleted, and what an endpoint wanted long ago.
pub(in crate::webhooks) async fn delete_left_over(pool: &PgPool, before: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "DELETE FROM webhook_endpoints e
         WHERE e.status = 'deleted' AND e.disabled_at < $1
           AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id)",
        before,
    )
    .execute(pool)
    .await?;
    sqlx::query!("DELETE FROM webhook_subscriptions WHERE until < $1", before).execute(pool).await?;
    Ok(())
}

/// How it stands: for the gauges.
#[derive(Debug)]
pub(in crate::webhooks) struct Standing {
    pub(in crate::webhooks) pending: i64,
    /// Of what is due at endpoints that work.
    pub(in crate::webhooks) oldest_due_seconds: f64,
    pub(in crate::webhooks) enabled: i64,
    pub(in crate::webhooks) failing: i64,
    pub(in crate::webhooks) disabled: i64,
}

/// No more than `most` of what is pending are counted.
pub(in crate::webhooks) async fn standing(
    pool: &PgPool,
    most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Standing> {
    sqlx::query_as!(
        Standing,
        r#"SELECT
             (SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE status = 'pending' LIMIT $2) AS counted) AS "pending!",
             COALESCE((SELECT extract(epoch FROM $1 - min(first.due))::float8
                       FROM webhook_endpoints e CROSS JOIN LATERAL (
                           SELECT d.next_attempt_at AS due FROM webhook_deliveries d
                           WHERE d.endpoint_id = e.id AND d.status = 'pending' AND d.next_attempt_at <= $1
                           ORDER BY d.next_attempt_at LIMIT 1) AS first
                       WHERE e.status = 'enabled' AND e.failing_since IS NULL), 0) AS "oldest_due_seconds!",
             (SELECT count(*) FROM webhook_endpoints WHERE status = 'enabled' AND failing_since IS NULL) AS "enabled!",
             (SELECT count(*) FROM webhook_endpoints WHERE status = 'enabled' AND failing_since IS NOT NULL) AS "failing!",
             (SELECT count(*) FROM webhook_endpoints WHERE status = 'disabled') AS "disabled!""#,
        now,
        most,
    )
    .fetch_one(pool)
    .await
}
