//! The inbox: one row for each event taken in, written with its effect, so that an event takes effect once however
//! often it is delivered.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use uuid::Uuid;

/// Notes the event; false when this consumer has had it.
pub async fn accept_in_op(
    op: &mut Op,
    consumer: &str,
    event: Uuid,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO inbox (consumer, event_id, received_at) VALUES ($1, $2, $3)
         ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING",
        consumer,
        event,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Whether this consumer has had the event, by a look that locks nothing.
pub async fn has(pool: &PgPool, consumer: &str, event: Uuid) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM inbox WHERE consumer = $1 AND event_id = $2) AS "found!""#,
        consumer,
        event,
    );
    found.fetch_one(pool).await
}
