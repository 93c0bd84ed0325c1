//! The inbox: one row for each event taken in, written with its effect, so that an event takes effect once however
//! often it is delivered.

use chrono::{DateTime, Utc};
use common_db::Op;
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
