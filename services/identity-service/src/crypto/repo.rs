//! All SQL about people's keys and the master keys above them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::key_provider::WrappedKey;

/// What is stored of a person's key.
pub(super) enum Stored {
    Live(WrappedKey),
    Erased,
}

pub(super) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<Stored>> {
    let row = sqlx::query!("SELECT wrapped, key_id FROM person_keys WHERE user_id = $1", user.uuid())
        .fetch_optional(db)
        .await?;
    Ok(row.map(|row| match (row.wrapped, row.key_id) {
        (Some(bytes), Some(key_id)) => Stored::Live(WrappedKey { key_id, bytes }),
        _ => Stored::Erased,
    }))
}

/// Stores the first key of a person; one that is there stays. `lookup` is the key of the hashes, on which stored values depend,
/// too. False: the master key was retired since it wrapped.
pub(super) async fn insert(
    pool: &PgPool,
    user: UserId,
    wrapped: &WrappedKey,
    lookup: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let mut op = common_db::begin(pool).await?;
    use_master_keys_in_op(&mut op, &wrapped.key_id, lookup, now).await?;
    if !hold_in_op(&mut op, &wrapped.key_id).await? {
        return Ok(false);
    }
    sqlx::query!(
        "INSERT INTO person_keys (user_id, wrapped, key_id, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id) DO NOTHING",
        user.uuid(),
        wrapped.bytes,
        wrapped.key_id,
        now,
    )
    .execute(&mut *op)
    .await?;
    op.commit().await?;
    Ok(true)
}

/// The row stays, so that no other key is made.
pub(super) async fn erase_in_op(op: &mut Op, user: UserId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO person_keys (user_id, created_at, erased_at) VALUES ($1, $2, $2)
         ON CONFLICT (user_id) DO UPDATE
         SET wrapped = NULL, key_id = NULL, erased_at = COALESCE(person_keys.erased_at, excluded.erased_at)",
        user.uuid(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

async fn use_master_keys_in_op(
    op: &mut Op,
    wrapping: &str,
    lookup: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO master_keys (id, use, first_used_at)
         SELECT id, use, $3 FROM (VALUES ($1, 'wrap'), ($2, 'lookup')) AS used (id, use)
         WHERE NOT EXISTS (SELECT FROM master_keys AS known WHERE known.id = used.id)
         ORDER BY id
         ON CONFLICT (id) DO NOTHING",
        wrapping,
        lookup,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Keeps the master key from being retired until the transaction ends. False: it is.
async fn hold_in_op(op: &mut Op, id: &str) -> sqlx::Result<bool> {
    let held = sqlx::query_scalar!(
        r#"SELECT true AS "held!" FROM master_keys WHERE id = $1 AND retired_at IS NULL FOR SHARE"#,
        id,
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(held.is_some())
}

/// The master keys without which something stored cannot be read or found.
pub(super) async fn master_key_ids(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!("SELECT id FROM master_keys WHERE retired_at IS NULL ORDER BY first_used_at, id")
        .fetch_all(db)
        .await
}

/// The id of the deployment's key in a value that was not moved to its person's key, if there is one: they all have the same.
pub(super) async fn unmoved_key_id(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        r#"SELECT substring(bvn FROM 2 FOR 8) AS "id!" FROM bvn_verifications WHERE get_byte(bvn, 0) = 1 LIMIT 1"#,
    )
    .fetch_all(db)
    .await
}

/// A master key and how many people's keys are wrapped under it.
pub(super) struct MasterRow {
    pub(super) id: String,
    pub(super) wraps: bool,
    pub(super) keys: i64,
    pub(super) retired_at: Option<DateTime<Utc>>,
}

pub(super) async fn master_keys(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<MasterRow>> {
    sqlx::query_as!(
        MasterRow,
        r#"SELECT id, use = 'wrap' AS "wraps!", retired_at,
                  (SELECT count(*) FROM person_keys WHERE key_id = master_keys.id) AS "keys!"
           FROM master_keys ORDER BY first_used_at, id"#,
    )
    .fetch_all(db)
    .await
}

/// A person's key that is to be wrapped anew.
pub(super) struct Wrapped {
    pub(super) user: UserId,
    pub(super) bytes: Vec<u8>,
}

/// The next people after this one whose keys are wrapped under the master key.
pub(super) async fn wrapped_under(
    db: impl PgExecutor<'_>,
    key_id: &str,
    after: Option<UserId>,
    limit: i64,
) -> sqlx::Result<Vec<Wrapped>> {
    sqlx::query_as!(
        Wrapped,
        r#"SELECT user_id AS "user", wrapped AS "bytes!" FROM person_keys
           WHERE key_id = $1 AND ($2::uuid IS NULL OR user_id > $2) ORDER BY user_id LIMIT $3"#,
        key_id,
        after.map(UserId::uuid),
        limit,
    )
    .fetch_all(db)
    .await
}

/// A person's key before and after.
pub(super) struct Rewrapped {
    pub(super) user: UserId,
    pub(super) before: Vec<u8>,
    pub(super) after: WrappedKey,
}

/// Stores the keys as they are wrapped now, each unless it was changed or erased since it was read. Answers how many.
pub(super) async fn rewrap(
    pool: &PgPool,
    batch: &[Rewrapped],
    lookup: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<u64> {
    if batch.is_empty() {
        return Ok(0);
    }
    let users: Vec<_> = batch.iter().map(|key| key.user.uuid()).collect();
    let before: Vec<_> = batch.iter().map(|key| key.before.clone()).collect();
    let after: Vec<_> = batch.iter().map(|key| key.after.bytes.clone()).collect();
    let ids: Vec<_> = batch.iter().map(|key| key.after.key_id.clone()).collect();
    let mut op = common_db::begin(pool).await?;
    for master in ids.iter().collect::<BTreeSet<_>>() {
        use_master_keys_in_op(&mut op, master, lookup, now).await?;
        // What a key has wrapped that was retired meanwhile is left out below, and wrapped again.
        hold_in_op(&mut op, master).await?;
    }
    lock_in_op(&mut op, &users).await?;
    let done = sqlx::query!(
        "UPDATE person_keys AS kept SET wrapped = anew.after, key_id = anew.key_id
         FROM unnest($1::uuid[], $2::bytea[], $3::bytea[], $4::text[]) AS anew (user_id, before, after, key_id)
         JOIN master_keys ON master_keys.id = anew.key_id AND master_keys.retired_at IS NULL
         WHERE kept.user_id = anew.user_id AND kept.wrapped = anew.before",
        &users,
        &before,
        &after,
        &ids,
    )
    .execute(&mut *op)
    .await?;
    op.commit().await?;
    Ok(done.rows_affected())
}

/// In one order, so that two who rewrap at one moment wait for each other and do not deadlock.
async fn lock_in_op(op: &mut Op, users: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT FROM person_keys WHERE user_id = ANY ($1) ORDER BY user_id FOR NO KEY UPDATE",
        users
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What still hangs on a master key that shall go.
pub(super) enum Retirement {
    Done,
    Wraps(i64),
    /// Numbers that were not moved to their people's keys.
    Unmoved,
}

/// From then on nothing is wrapped under the master key. Who is wrapping under it just now holds its row, and is waited for.
pub(super) async fn retire(pool: &PgPool, id: &str, now: DateTime<Utc>) -> sqlx::Result<Retirement> {
    let mut op = common_db::begin(pool).await?;
    sqlx::query!(
        "INSERT INTO master_keys (id, use, first_used_at) VALUES ($1, 'wrap', $2) ON CONFLICT (id) DO NOTHING",
        id,
        now,
    )
    .execute(&mut *op)
    .await?;
    sqlx::query!("SELECT FROM master_keys WHERE id = $1 FOR UPDATE", id).execute(&mut *op).await?;
    let keys = sqlx::query_scalar!(r#"SELECT count(*) AS "keys!" FROM person_keys WHERE key_id = $1"#, id)
        .fetch_one(&mut *op)
        .await?;
    if keys > 0 {
        return Ok(Retirement::Wraps(keys));
    }
    if !unmoved_key_id(&mut *op).await?.is_empty() {
        return Ok(Retirement::Unmoved);
    }
    sqlx::query!("UPDATE master_keys SET retired_at = COALESCE(retired_at, $2) WHERE id = $1", id, now)
        .execute(&mut *op)
        .await?;
    op.commit().await?;
    Ok(Retirement::Done)
}
