//! All SQL of the audit log.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::http::paging::Limit;
use serde_json::{Map, Value};
use sqlx::{Executor, types::Json};

use super::chain::{Entry, GENESIS, Hash, Head, Record, Reference};

struct EntryRow {
    sequence: i64,
    occurred_at: DateTime<Utc>,
    actor_type: String,
    actor_id: String,
    action: String,
    subject_type: String,
    subject_id: String,
    correlation_id: String,
    details: Json<Value>,
    previous_hash: Vec<u8>,
    hash: Vec<u8>,
}

impl From<EntryRow> for Entry {
    fn from(row: EntryRow) -> Self {
        let details = match row.details.0 {
            Value::Object(fields) => fields,
            // Only somebody who goes round us writes anything else. It is shown, and breaks the hash.
            other => Map::from_iter([("unexpected".to_owned(), other)]),
        };
        Self {
            sequence: row.sequence,
            record: Record {
                occurred_at: row.occurred_at,
                actor: Reference { kind: row.actor_type, id: row.actor_id },
                action: row.action,
                subject: Reference { kind: row.subject_type, id: row.subject_id },
                correlation_id: row.correlation_id,
                details,
            },
            previous_hash: hash(&row.previous_hash),
            hash: hash(&row.hash),
        }
    }
}

/// The schema keeps hashes at 32 bytes.
fn hash(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or(GENESIS)
}

/// Which entries a list shows.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) subject: Option<Reference>,
    pub(super) actor: Option<Reference>,
    pub(super) action: Option<String>,
    /// From this moment on.
    pub(super) from: Option<DateTime<Utc>>,
    /// Before this moment.
    pub(super) to: Option<DateTime<Utc>>,
}

/// Locks the end of the chain: whoever appends waits here for their turn.
pub(super) async fn lock_head_in_op(op: &mut Op) -> sqlx::Result<Head> {
    let row = sqlx::query!("SELECT sequence, hash FROM audit_head FOR UPDATE").fetch_one(&mut **op).await?;
    Ok(Head { sequence: row.sequence, hash: hash(&row.hash) })
}

pub(super) async fn head(pool: &PgPool) -> sqlx::Result<Head> {
    let row = sqlx::query!("SELECT sequence, hash FROM audit_head").fetch_one(pool).await?;
    Ok(Head { sequence: row.sequence, hash: hash(&row.hash) })
}

/// The end of the chain, and the number of the last entry there is, read at one moment. They are the same, unless
/// somebody went round us.
pub(super) async fn head_and_last(pool: &PgPool) -> sqlx::Result<(Head, i64)> {
    let row = sqlx::query!(
        r#"SELECT sequence, hash, coalesce((SELECT max(sequence) FROM audit_entries), 0) AS "last!" FROM audit_head"#
    )
    .fetch_one(pool)
    .await?;
    Ok((Head { sequence: row.sequence, hash: hash(&row.hash) }, row.last))
}

/// Writes the entries and moves the end of the chain to the last of them.
pub(super) async fn append_in_op(op: &mut Op, entries: &[Entry], head: &Head) -> sqlx::Result<()> {
    let records = || entries.iter().map(|entry| &entry.record);
    let texts = |of: fn(&Record) -> &str| records().map(of).collect::<Vec<&str>>();
    sqlx::query!(
        "WITH appended AS (
             INSERT INTO audit_entries (sequence, occurred_at, actor_type, actor_id, action, subject_type, subject_id,
                                        correlation_id, details, previous_hash, hash)
             SELECT * FROM UNNEST($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
                                  $7::text[], $8::text[], $9::jsonb[], $10::bytea[], $11::bytea[]))
         UPDATE audit_head SET sequence = $12, hash = $13",
        &entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(),
        &records().map(|record| record.occurred_at).collect::<Vec<_>>(),
        &texts(|record| &record.actor.kind) as _,
        &texts(|record| &record.actor.id) as _,
        &texts(|record| &record.action) as _,
        &texts(|record| &record.subject.kind) as _,
        &texts(|record| &record.subject.id) as _,
        &texts(|record| &record.correlation_id) as _,
        &records().map(|record| Json(&record.details)).collect::<Vec<_>>() as _,
        &entries.iter().map(|entry| &entry.previous_hash[..]).collect::<Vec<_>>() as _,
        &entries.iter().map(|entry| &entry.hash[..]).collect::<Vec<_>>() as _,
        head.sequence,
        &head.hash[..],
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Newest first.
pub(super) async fn list(
    pool: &PgPool,
    filter: &Filter,
    before: Option<i64>,
    limit: Limit,
) -> sqlx::Result<Vec<Entry>> {
    let mut op = common_db::begin(pool).await?;
    // A plan for these very filters: one that serves all of them would use no index.
    op.execute("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    let rows = sqlx::query_as!(
        EntryRow,
        r#"SELECT sequence, occurred_at, actor_type, actor_id, action, subject_type, subject_id, correlation_id,
                  details AS "details: Json<Value>", previous_hash, hash
           FROM audit_entries
           WHERE ($1::text IS NULL OR (subject_type = $1 AND subject_id = $2))
             AND ($3::text IS NULL OR (actor_type = $3 AND actor_id = $4))
             AND ($5::text IS NULL OR action = $5)
             AND ($6::timestamptz IS NULL OR occurred_at >= $6)
             AND ($7::timestamptz IS NULL OR occurred_at < $7)
             AND ($8::bigint IS NULL OR sequence < $8)
           ORDER BY sequence DESC LIMIT $9"#,
        filter.subject.as_ref().map(|subject| subject.kind.as_str()),
        filter.subject.as_ref().map(|subject| subject.id.as_str()),
        filter.actor.as_ref().map(|actor| actor.kind.as_str()),
        filter.actor.as_ref().map(|actor| actor.id.as_str()),
        filter.action,
        filter.from,
        filter.to,
        before,
        limit.rows(),
    )
    .fetch_all(&mut *op)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The next entries after `sequence`, oldest first, up to and with `last`.
pub(super) async fn following(
    pool: &PgPool,
    sequence: i64,
    last: i64,
    at_most: i64,
) -> sqlx::Result<Vec<Entry>> {
    let rows = sqlx::query_as!(
        EntryRow,
        r#"SELECT sequence, occurred_at, actor_type, actor_id, action, subject_type, subject_id, correlation_id,
                  details AS "details: Json<Value>", previous_hash, hash
           FROM audit_entries WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3"#,
        sequence,
        last,
        at_most,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}
