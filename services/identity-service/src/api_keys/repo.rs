//! All SQL about API keys and their secrets.

use chrono::{DateTime, Utc};
use common_auth::Scopes;
use common_db::{Op, PgPool};
use common_utils::ids::UserId;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    entity::{ApiKey, ApiKeyId, KeyName, Presented, Secret, SecretId},
    text::KeyText,
};

struct Row {
    id: Uuid,
    user_id: Uuid,
    name: String,
    scopes: Vec<String>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    revoked_at: Option<DateTime<Utc>>,
}

impl From<Row> for ApiKey {
    fn from(row: Row) -> Self {
        Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            name: KeyName::stored(row.name),
            scopes: Scopes::known(row.scopes.iter().map(String::as_str)),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        }
    }
}

pub(super) async fn insert_in_op(op: &mut Op, key: &ApiKey) -> sqlx::Result<()> {
    let scopes: Vec<String> = key.scopes.iter().map(|scope| scope.name().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO api_keys (id, user_id, name, scopes, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        key.id.uuid(),
        key.user_id.uuid(),
        key.name.as_str(),
        &scopes,
        key.created_at,
        key.expires_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// A secret that is in force as long as its key.
pub(super) async fn insert_secret_in_op(
    op: &mut Op,
    key: &ApiKey,
    text: &KeyText,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO api_key_secrets (id, api_key_id, secret_hash, created_at, valid_until)
         VALUES ($1, $2, $3, $4, $5)",
        text.id.uuid(),
        key.id.uuid(),
        &text.hash()[..],
        now,
        key.expires_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The person's row is locked before.
pub(super) async fn count_live_in_op(op: &mut Op, user: UserId, now: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_keys WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2"#,
        user.uuid(),
        now,
    )
    .fetch_one(&mut **op)
    .await
}

/// The person's keys in force, newest first; ids grow with time.
pub(super) async fn list(pool: &PgPool, user: UserId, now: DateTime<Utc>) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, scopes, created_at, expires_at, revoked_at FROM api_keys
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id DESC LIMIT 100",
        user.uuid(),
        now,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// The secrets of these keys that are in force, newest first.
pub(super) async fn list_secrets(
    db: impl PgExecutor<'_>,
    keys: &[ApiKeyId],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(ApiKeyId, Secret)>> {
    let ids: Vec<Uuid> = keys.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT id, api_key_id, created_at, valid_until, last_used_at FROM api_key_secrets
         WHERE api_key_id = ANY ($1) AND valid_until > $2 ORDER BY id DESC",
        &ids,
        now,
    )
    .fetch_all(db)
    .await?;
    let secret = |id: Uuid, created_at, valid_until, last_used_at| Secret {
        id: id.into(),
        created_at,
        valid_until,
        last_used_at,
    };
    let pairs = rows.into_iter().map(|row| {
        (row.api_key_id.into(), secret(row.id, row.created_at, row.valid_until, row.last_used_at))
    });
    Ok(pairs.collect())
}

/// The person's key, locked: changes of one key follow one another.
pub(super) async fn find_locked_in_op(
    op: &mut Op,
    user: UserId,
    id: ApiKeyId,
) -> sqlx::Result<Option<ApiKey>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, scopes, created_at, expires_at, revoked_at FROM api_keys
         WHERE id = $1 AND user_id = $2 FOR UPDATE",
        id.uuid(),
        user.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(ApiKey::from))
}

/// The person's keys in force, locked in the order of their ids.
pub(super) async fn find_live_locked_in_op(
    op: &mut Op,
    user: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<ApiKey>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, name, scopes, created_at, expires_at, revoked_at FROM api_keys
         WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > $2 ORDER BY id FOR UPDATE",
        user.uuid(),
        now,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(rows.into_iter().map(ApiKey::from).collect())
}

/// The secrets of a locked key that are in force, newest first.
pub(super) async fn find_secrets_in_op(
    op: &mut Op,
    key: ApiKeyId,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Secret>> {
    sqlx::query_as!(
        Secret,
        "SELECT id, created_at, valid_until, last_used_at FROM api_key_secrets
         WHERE api_key_id = $1 AND valid_until > $2 ORDER BY id DESC",
        key.uuid(),
        now,
    )
    .fetch_all(&mut **op)
    .await
}

pub(super) async fn end_secrets_in_op(op: &mut Op, ends: &[(SecretId, DateTime<Utc>)]) -> sqlx::Result<()> {
    let (ids, ends): (Vec<Uuid>, Vec<DateTime<Utc>>) = ends.iter().map(|(id, end)| (id.uuid(), *end)).unzip();
    sqlx::query!(
        "UPDATE api_key_secrets AS secret SET valid_until = ended.at
         FROM UNNEST($1::uuid[], $2::timestamptz[]) AS ended (id, at) WHERE secret.id = ended.id",
        &ids,
        &ends,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Keys that are locked.
pub(super) async fn revoke_in_op(op: &mut Op, keys: &[ApiKeyId], now: DateTime<Utc>) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = keys.iter().map(|key| key.uuid()).collect();
    sqlx::query!("UPDATE api_keys SET revoked_at = $2 WHERE id = ANY ($1)", &ids, now)
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// Keeps the key of this secret from being changed until the end of the transaction; many may at once.
pub(super) async fn hold_in_op(op: &mut Op, secret: SecretId) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT k.id FROM api_keys k JOIN api_key_secrets s ON s.api_key_id = k.id WHERE s.id = $1 FOR SHARE OF k",
        secret.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(())
}

/// What is known of a secret. A statement of its own, after the lock: it sees what whoever held the lock has written.
pub(super) async fn find_presented_in_op(op: &mut Op, secret: SecretId) -> sqlx::Result<Option<Presented>> {
    let row = sqlx::query!(
        r#"SELECT k.id, k.user_id, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, s.id AS secret_id,
                  s.secret_hash, s.created_at AS secret_created_at, s.valid_until, s.last_used_at,
                  u.status = 'active' AS "active!", u.kyc_tier
           FROM api_key_secrets s JOIN api_keys k ON k.id = s.api_key_id JOIN users u ON u.id = k.user_id
           WHERE s.id = $1"#,
        secret.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(|row| Presented {
        key: ApiKey {
            id: row.id.into(),
            user_id: row.user_id.into(),
            name: KeyName::stored(row.name),
            scopes: Scopes::known(row.scopes.iter().map(String::as_str)),
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        },
        secret: Secret {
            id: row.secret_id.into(),
            created_at: row.secret_created_at,
            valid_until: row.valid_until,
            last_used_at: row.last_used_at,
        },
        hash: row.secret_hash,
        owner_is_active: row.active,
        owner_tier: row.kyc_tier,
    }))
}

pub(super) async fn note_use_in_op(op: &mut Op, secret: SecretId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE api_key_secrets SET last_used_at = $2 WHERE id = $1", secret.uuid(), now)
        .execute(&mut **op)
        .await?;
    Ok(())
}

/// Forgets up to `limit` keys that ended before `before`, with their secrets.
pub(super) async fn purge(pool: &PgPool, before: DateTime<Utc>, limit: i64) -> sqlx::Result<u64> {
    let gone = sqlx::query!(
        "DELETE FROM api_keys WHERE id IN (
             SELECT id FROM api_keys WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED
         )",
        before,
        limit,
    )
    .execute(pool)
    .await?;
    Ok(gone.rows_affected())
}
