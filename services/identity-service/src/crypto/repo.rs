//! All SQL about people's keys and the master keys above them.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;

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
