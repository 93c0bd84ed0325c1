//! Secrets, as they are stored: encrypted.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use sqlx::PgExecutor;
use uuid::Uuid;

pub(in crate::webhooks) struct Sealed {
    pub(in crate::webhooks) id: Uuid,
    pub(in crate::webhooks) endpoint_id: Uuid,
    pub(in crate::webhooks) content: Vec<u8>,
}

pub(in crate::webhooks) async fn insert_in_op(
    op: &mut Op,
    secret: &Sealed,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_secrets (id, endpoint_id, sealed, created_at) VALUES ($1, $2, $3, $4)",
        secret.id,
        secret.endpoint_id,
        secret.content,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Lets the current one end.
pub(in crate::webhooks) async fn retire_in_op(
    op: &mut Op,
    endpoint: Uuid,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhook_secrets SET expires_at = $2 WHERE endpoint_id = $1 AND expires_at IS NULL",
        endpoint,
        at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(in crate::webhooks) async fn delete_in_op(op: &mut Op, endpoint: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM webhook_secrets WHERE endpoint_id = $1", endpoint).execute(&mut **op).await?;
    Ok(())
}

/// Those in force, the newest first.
pub(in crate::webhooks) async fn in_force(
    database: impl PgExecutor<'_>,
    endpoints: &[Uuid],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Sealed>> {
    sqlx::query_as!(
        Sealed,
        "SELECT id, endpoint_id, sealed AS content FROM webhook_secrets
         WHERE endpoint_id = ANY ($1) AND (expires_at IS NULL OR expires_at > $2) ORDER BY endpoint_id, id DESC",
        endpoints,
        now,
    )
    .fetch_all(database)
    .await
}

/// The one that the endpoint was made with, until it is replaced.
pub(in crate::webhooks) async fn first(pool: &PgPool, endpoint: Uuid) -> sqlx::Result<Option<Sealed>> {
    sqlx::query_as!(
        Sealed,
        "SELECT s.id, s.endpoint_id, s.sealed AS content
         FROM webhook_secrets s JOIN webhook_endpoints e ON e.id = s.endpoint_id
         WHERE e.id = $1 AND s.created_at = e.created_at AND s.expires_at IS NULL",
        endpoint,
    )
    .fetch_optional(pool)
    .await
}

pub(in crate::webhooks) async fn delete_expired(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM webhook_secrets WHERE expires_at <= $1", now).execute(pool).await?;
    Ok(())
}

/// The ids of all keys that something is encrypted with; each stands behind the version byte.
pub(in crate::webhooks) async fn key_ids(pool: &PgPool) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(r#"SELECT DISTINCT substring(sealed FROM 2 FOR 8) AS "id!" FROM webhook_secrets"#)
        .fetch_all(pool)
        .await
}
