//! The inbox: one row for each event taken in, written with its effect, so that an event takes effect once however
//! often it is delivered. It is never cleaned: topics are kept for ever, so any event may come again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use common_db::Op;
use sqlx::PgExecutor;
use uuid::Uuid;

/// SHA-256 of an event's bytes.
pub type Content = [u8; 32];

/// Notes the events, which have different ids, and names those that this consumer had not had.
pub async fn accept_in_op(
    op: &mut Op,
    consumer: &str,
    events: &[(Uuid, Content)],
    now: DateTime<Utc>,
) -> sqlx::Result<HashSet<Uuid>> {
    let (ids, contents): (Vec<Uuid>, Vec<&[u8]>) =
        events.iter().map(|(id, content)| (*id, &content[..])).unzip();
    // In one sorted order, so that two members of a group that hold the same messages do not wait for each other in a ring.
    let fresh = sqlx::query_scalar!(
        "INSERT INTO inbox (consumer, event_id, content, received_at)
         SELECT $1, offered.event_id, offered.content, $4
         FROM UNNEST($2::uuid[], $3::bytea[]) AS offered (event_id, content) ORDER BY offered.event_id
         ON CONFLICT ON CONSTRAINT inbox_pkey DO NOTHING
         RETURNING event_id",
        consumer,
        &ids,
        &contents as &[&[u8]],
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(fresh.into_iter().collect())
}

/// Those of the events that this consumer has had, with what they were; None where that was not noted yet.
pub async fn had(
    database: impl PgExecutor<'_>,
    consumer: &str,
    events: &[Uuid],
) -> sqlx::Result<HashMap<Uuid, Option<Vec<u8>>>> {
    let found = sqlx::query!(
        "SELECT event_id, content FROM inbox WHERE consumer = $1 AND event_id = ANY ($2)",
        consumer,
        events,
    )
    .fetch_all(database)
    .await?;
    Ok(found.into_iter().map(|row| (row.event_id, row.content)).collect())
}
