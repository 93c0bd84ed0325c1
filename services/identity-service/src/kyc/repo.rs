//! All SQL about verified bank verification numbers. What it stores is encrypted before it comes here.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

/// A verified number as it is stored.
pub(crate) struct Verification {
    pub(crate) bvn_lookup: Vec<u8>,
    pub(crate) bvn: Vec<u8>,
    pub(crate) date_of_birth: Vec<u8>,
}

pub(crate) async fn insert_in_op(
    op: &mut Op,
    user: UserId,
    verification: &Verification,
    provider: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO bvn_verifications (user_id, bvn_lookup, bvn, date_of_birth, provider, verified_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        user.uuid(),
        verification.bvn_lookup,
        verification.bvn,
        verification.date_of_birth,
        provider,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<Verification>> {
    sqlx::query_as!(
        Verification,
        "SELECT bvn_lookup, bvn, date_of_birth FROM bvn_verifications WHERE user_id = $1",
        user.uuid(),
    )
    .fetch_optional(db)
    .await
}

/// The ids of all keys that something is encrypted with; each stands behind the version byte.
pub(crate) async fn key_ids(db: impl PgExecutor<'_>) -> sqlx::Result<Vec<Vec<u8>>> {
    sqlx::query_scalar!(
        r#"SELECT substring(bvn FROM 2 FOR 8) AS "id!" FROM bvn_verifications
           UNION SELECT substring(date_of_birth FROM 2 FOR 8) FROM bvn_verifications"#,
    )
    .fetch_all(db)
    .await
}
