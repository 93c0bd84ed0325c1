//! All SQL about dead letters.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_events::dlq::{Letter, Replay};
use common_utils::{http::paging::Limit, ids};
use sqlx::{Executor, types::Json};
use uuid::Uuid;

use super::{
    entity::{DeadLetter, Status},
    replaying::Ordered,
};

/// Bytes of messages that are put back at once, and how many messages.
const REPLAY_BYTES: i64 = 16 * 1024 * 1024;
const REPLAY_LETTERS: i64 = 500;

struct Row {
    id: Uuid,
    topic: String,
    original_partition: i32,
    original_offset: i64,
    consumer_group: String,
    error: String,
    causes: Vec<String>,
    attempts: i32,
    set_aside_at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    event_id: Option<Uuid>,
    event_type: Option<String>,
    event_subject: Option<String>,
    payload_bytes: i32,
    left_out: Option<i64>,
    status: Status,
    decided_by: Option<Uuid>,
    decided_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    replayed_at: Option<DateTime<Utc>>,
}

impl From<Row> for DeadLetter {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            topic: row.topic,
            partition: row.original_partition,
            offset: row.original_offset,
            group: row.consumer_group,
            error: row.error,
            causes: row.causes,
            attempts: row.attempts,
            set_aside_at: row.set_aside_at,
            received_at: row.received_at,
            event_id: row.event_id,
            event_type: row.event_type,
            event_subject: row.event_subject,
            payload_bytes: row.payload_bytes,
            left_out: row.left_out,
            status: row.status,
            decided_by: row.decided_by.map(Into::into),
            decided_at: row.decided_at,
            reason: row.reason,
            replayed_at: row.replayed_at,
        }
    }
}

/// Letters without their messages, by what comes after the columns.
macro_rules! query_letters {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id, topic, original_partition, original_offset, consumer_group, error, causes, attempts, set_aside_at,
                      received_at, event_id, event_type, event_subject, payload_bytes AS "payload_bytes!", left_out,
                      status AS "status: Status", decided_by, decided_at, reason, replayed_at
               FROM dead_letters "# + $rest,
            $($argument),*
        )
    };
}

/// Which letters a list shows, or a call puts back.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) status: Option<Status>,
    pub(super) topic: Option<String>,
    pub(super) group: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) event: Option<Uuid>,
    pub(super) ids: Option<Vec<Uuid>>,
}

/// How many of them were not there.
pub(super) async fn insert(pool: &PgPool, letters: &[Letter], now: DateTime<Utc>) -> sqlx::Result<u64> {
    let mut op = common_db::begin(pool).await?;
    let mut inserted = 0;
    // Dead letters are few, and may have ten mebibytes each: one at a time, in one transaction.
    for letter in letters {
        let event = letter.event.as_ref();
        let headers: Vec<(&str, &str)> =
            letter.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let done = sqlx::query!(
            "INSERT INTO dead_letters (id, fingerprint, topic, original_partition, original_offset, consumer_group, error,
                                       causes, attempts, set_aside_at, received_at, event_id, event_type, event_subject,
                                       key, payload, left_out, headers, status)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 'open')
             ON CONFLICT ON CONSTRAINT dead_letters_fingerprint_key DO NOTHING",
            ids::new_id(),
            &letter.fingerprint()[..],
            letter.topic,
            letter.partition,
            letter.offset,
            letter.group,
            letter.error,
            &letter.causes,
            letter.attempts,
            letter.set_aside_at,
            now,
            event.map(|event| event.id),
            event.map(|event| event.kind.as_str()),
            event.map(|event| event.subject.as_str()),
            letter.key.as_deref(),
            letter.payload,
            letter.left_out,
            Json(headers) as _,
        )
        .execute(&mut *op)
        .await?;
        inserted += done.rows_affected();
    }
    op.commit().await?;
    Ok(inserted)
}

/// Newest first.
pub(super) async fn list(
    pool: &PgPool,
    filter: &Filter,
    before: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Vec<DeadLetter>> {
    let mut op = common_db::begin(pool).await?;
    // A plan for these very filters: one that serves all of them would use no index.
    op.execute("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    let rows = query_letters!(
        "WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR topic = $2)
           AND ($3::text IS NULL OR consumer_group = $3) AND ($4::text IS NULL OR event_type = $4)
           AND ($5::uuid IS NULL OR event_id = $5) AND ($6::uuid IS NULL OR id < $6)
         ORDER BY id DESC LIMIT $7",
        filter.status.map(Status::name),
        filter.topic,
        filter.group,
        filter.kind,
        filter.event,
        before,
        limit.rows(),
    )
    .fetch_all(&mut *op)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn find(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<DeadLetter>> {
    Ok(query_letters!("WHERE id = $1", id).fetch_optional(pool).await?.map(Into::into))
}

/// The message as it came.
pub(super) async fn message(pool: &PgPool, id: Uuid) -> sqlx::Result<Option<Replay>> {
    let row = sqlx::query!(
        r#"SELECT topic, key, payload, headers AS "headers: Json<Vec<(String, String)>>" FROM dead_letters WHERE id = $1"#,
        id,
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Replay { topic: row.topic, key: row.key, payload: row.payload, headers: row.headers.0 }))
}

/// Locks the letter until the end of the transaction.
pub(super) async fn lock_in_op(op: &mut Op, id: Uuid) -> sqlx::Result<Option<DeadLetter>> {
    Ok(query_letters!("WHERE id = $1 FOR UPDATE", id).fetch_optional(&mut **op).await?.map(Into::into))
}

/// Locks open letters, the oldest first, without those that somebody else has. What could not even be tried is only among them
/// where it is named: it would come back, once for each consumer.
pub(super) async fn lock_open_in_op(
    op: &mut Op,
    filter: &Filter,
    limit: i64,
) -> sqlx::Result<Vec<DeadLetter>> {
    let rows = query_letters!(
        "WHERE status = 'open' AND left_out IS NULL AND ($1::text IS NULL OR topic = $1) AND ($2::text IS NULL OR consumer_group = $2)
           AND ($3::text IS NULL OR event_type = $3) AND CASE WHEN $4::uuid[] IS NULL THEN attempts > 0 ELSE id = ANY ($4) END
         ORDER BY id LIMIT $5 FOR UPDATE SKIP LOCKED",
        filter.topic,
        filter.group,
        filter.kind,
        filter.ids.as_deref(),
        limit,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Writes what was decided about them.
pub(super) async fn decide_in_op(op: &mut Op, letters: &[DeadLetter]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = letters.iter().map(|letter| letter.id).collect();
    let statuses: Vec<&str> = letters.iter().map(|letter| letter.status.name()).collect();
    let by: Vec<Option<Uuid>> = letters.iter().map(|letter| letter.decided_by.map(Into::into)).collect();
    let at: Vec<Option<DateTime<Utc>>> = letters.iter().map(|letter| letter.decided_at).collect();
    let reasons: Vec<Option<&str>> = letters.iter().map(|letter| letter.reason.as_deref()).collect();
    sqlx::query!(
        "UPDATE dead_letters AS l SET status = new.status, decided_by = new.by, decided_at = new.at, reason = new.reason
         FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::timestamptz[], $5::text[]) AS new (id, status, by, at, reason)
         WHERE l.id = new.id",
        &ids,
        &statuses as _,
        &by as _,
        &at as _,
        &reasons as _,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The next letters to put back, in the order in which they lay in their topics.
pub(super) async fn ordered(pool: &PgPool) -> sqlx::Result<Vec<Ordered>> {
    let rows = sqlx::query!(
        r#"SELECT id, topic, key, payload, headers AS "headers: Json<Vec<(String, String)>>"
           FROM (SELECT *, sum(payload_bytes) OVER upto - payload_bytes AS bytes_before
                 FROM (SELECT * FROM dead_letters WHERE status = 'replaying'
                       ORDER BY topic, original_partition, original_offset LIMIT $1) AS first
                 WINDOW upto AS (ORDER BY topic, original_partition, original_offset, id)) AS counted
           WHERE bytes_before < $2 ORDER BY topic, original_partition, original_offset"#,
        REPLAY_LETTERS,
        REPLAY_BYTES,
    )
    .fetch_all(pool)
    .await?;
    let ordered = rows.into_iter().map(|row| Ordered {
        id: row.id,
        replay: Replay { topic: row.topic, key: row.key, payload: row.payload, headers: row.headers.0 },
    });
    Ok(ordered.collect())
}

/// How many were not marked before.
pub(super) async fn mark_replayed(pool: &PgPool, ids: &[Uuid], now: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "UPDATE dead_letters SET status = 'replayed', replayed_at = $2 WHERE id = ANY ($1) AND status = 'replaying'",
        ids,
        now,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// For those that Kafka does not take: somebody has to decide anew.
pub(super) async fn open_again(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE dead_letters SET status = 'open', decided_by = NULL, decided_at = NULL
         WHERE id = ANY ($1) AND status = 'replaying'",
        ids,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// How many open letters a topic and group have.
pub(super) struct Open {
    pub(super) topic: String,
    pub(super) group: String,
    pub(super) letters: i64,
}

pub(super) async fn count_open(pool: &PgPool) -> sqlx::Result<Vec<Open>> {
    sqlx::query_as!(
        Open,
        r#"SELECT topic, consumer_group AS "group", count(*) AS "letters!" FROM dead_letters
           WHERE status = 'open' GROUP BY topic, consumer_group"#,
    )
    .fetch_all(pool)
    .await
}
