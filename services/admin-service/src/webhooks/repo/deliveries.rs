//! Deliveries and the log of their attempts.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::http::paging::Limit;
use sqlx::Executor;
use uuid::Uuid;

use super::super::delivery::{Attempt, Delivery, DeliveryStatus};

/// Of one delivery, the newest that are shown.
const MOST_ATTEMPTS: i64 = 100;

/// Deliveries by what comes after the columns.
macro_rules! query_deliveries {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Delivery,
            r#"SELECT id, endpoint_id, message_id, event_type, status AS "status: DeliveryStatus", created_at, ended_at,
                      attempts, failures, next_attempt_at, lease
               FROM webhook_deliveries "# + $rest,
            $($argument),*
        )
    };
}

/// Which deliveries a list shows.
#[derive(Debug, Default)]
pub(in crate::webhooks) struct Filter {
    pub(in crate::webhooks) status: Option<DeliveryStatus>,
    pub(in crate::webhooks) event_type: Option<String>,
    pub(in crate::webhooks) message: Option<Uuid>,
}

/// Newest first.
pub(in crate::webhooks) async fn list(
    pool: &PgPool,
    endpoint: Uuid,
    filter: &Filter,
    before: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Vec<Delivery>> {
    let mut op = common_db::begin(pool).await?;
    // A plan for these very filters: one that serves all of them would use no index.
    op.execute("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    query_deliveries!(
        "WHERE endpoint_id = $1 AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR event_type = $3)
           AND ($4::uuid IS NULL OR message_id = $4) AND ($5::uuid IS NULL OR id < $5)
         ORDER BY id DESC LIMIT $6",
        endpoint,
        filter.status.map(DeliveryStatus::name),
        filter.event_type,
        filter.message,
        before,
        limit.rows(),
    )
    .fetch_all(&mut *op)
    .await
}

pub(in crate::webhooks) async fn find(
    pool: &PgPool,
    endpoint: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<Delivery>> {
    query_deliveries!("WHERE id = $1 AND endpoint_id = $2", id, endpoint).fetch_optional(pool).await
}

/// Locks the delivery until the end of the transaction.
pub(in crate::webhooks) async fn lock_in_op(
    op: &mut Op,
    endpoint: Uuid,
    id: Uuid,
) -> sqlx::Result<Option<Delivery>> {
    query_deliveries!("WHERE id = $1 AND endpoint_id = $2 FOR UPDATE", id, endpoint)
        .fetch_optional(&mut **op)
        .await
}

/// A test and its message.
pub(in crate::webhooks) async fn insert_test_in_op(
    op: &mut Op,
    delivery: &Delivery,
    payload: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_messages (id, event_type, occurred_at, payload, received_at) VALUES ($1, $2, $3, $4, $3)",
        delivery.message_id,
        delivery.event_type,
        delivery.created_at,
        payload,
    )
    .execute(&mut **op)
    .await?;
    sqlx::query!(
        "INSERT INTO webhook_deliveries (id, endpoint_id, message_id, event_type, status, created_at, next_attempt_at, lease)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        delivery.id,
        delivery.endpoint_id,
        delivery.message_id,
        delivery.event_type,
        delivery.status.name(),
        delivery.created_at,
        delivery.next_attempt_at,
        delivery.lease,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What changes in a delivery's life.
pub(in crate::webhooks) async fn update_in_op(op: &mut Op, delivery: &Delivery) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_deliveries SET status = $2, ended_at = $3, attempts = $4, failures = $5, next_attempt_at = $6,
                                       lease = $7
         WHERE id = $1",
        delivery.id,
        delivery.status.name(),
        delivery.ended_at,
        delivery.attempts,
        delivery.failures,
        delivery.next_attempt_at,
        delivery.lease,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The newest attempt of a delivery, which counts them.
pub(in crate::webhooks) async fn log_in_op(
    op: &mut Op,
    delivery: &Delivery,
    attempt: &Attempt,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_attempts (delivery_id, number, attempted_at, duration_ms, status_code, error, answer)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        delivery.id,
        delivery.attempts,
        attempt.at,
        i32::try_from(attempt.duration.as_millis()).unwrap_or(i32::MAX),
        attempt.status_code.map(i32::from),
        attempt.error,
        attempt.answer,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// An attempt as it was logged.
pub(in crate::webhooks) struct Logged {
    pub(in crate::webhooks) number: i32,
    pub(in crate::webhooks) attempted_at: DateTime<Utc>,
    pub(in crate::webhooks) duration_ms: i32,
    pub(in crate::webhooks) status_code: Option<i32>,
    pub(in crate::webhooks) error: Option<String>,
    pub(in crate::webhooks) answer: Option<String>,
}

/// Newest first.
pub(in crate::webhooks) async fn attempts(pool: &PgPool, delivery: Uuid) -> sqlx::Result<Vec<Logged>> {
    sqlx::query_as!(
        Logged,
        "SELECT number, attempted_at, duration_ms, status_code, error, answer FROM webhook_attempts
         WHERE delivery_id = $1 ORDER BY number DESC LIMIT $2",
        delivery,
        MOST_ATTEMPTS,
    )
    .fetch_all(pool)
    .await
}

/// What is sent.
pub(in crate::webhooks) async fn payload(pool: &PgPool, message: Uuid) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT payload FROM webhook_messages WHERE id = $1", message)
        .fetch_optional(pool)
        .await
}

/// Orders those anew that were made in a period and did not arrive, the oldest first, and tells how many.
pub(in crate::webhooks) async fn resend_in_op(
    op: &mut Op,
    endpoint: Uuid,
    (from, to): (DateTime<Utc>, Option<DateTime<Utc>>),
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    let resent = sqlx::query!(
        "UPDATE webhook_deliveries SET status = 'pending', ended_at = NULL, failures = 0, next_attempt_at = $5
         WHERE id IN (SELECT id FROM webhook_deliveries
                      WHERE endpoint_id = $1 AND status IN ('failed', 'cancelled') AND created_at >= $2
                        AND ($3::timestamptz IS NULL OR created_at < $3) AND event_type <> 'webhook.test'
                      ORDER BY created_at LIMIT $4 FOR UPDATE)",
        endpoint,
        from,
        to,
        at_most,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(resent.rows_affected())
}
