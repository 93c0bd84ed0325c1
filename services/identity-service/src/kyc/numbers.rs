//! All SQL about the numbers that people are verified with, as cases know them: each of one person, encrypted before it comes here.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

#[derive(Debug)]
pub(super) struct Bvn {
    pub(super) lookup: Vec<u8>,
    pub(super) sealed: Vec<u8>,
    pub(super) date_of_birth: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct Nin {
    pub(super) lookup: Vec<u8>,
    pub(super) sealed: Vec<u8>,
}

/// Keyed hashes of the numbers that a person is verified with.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) bvn_lookup: Option<Vec<u8>>,
    /// Encrypted; the one that the bank verification number is registered with.
    pub(super) date_of_birth: Option<Vec<u8>>,
    pub(super) nin_lookup: Option<Vec<u8>>,
}

pub(super) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Verified> {
    sqlx::query_as!(
        Verified,
        "SELECT (SELECT bvn_lookup FROM bvn_verifications WHERE user_id = $1) AS bvn_lookup,
                (SELECT date_of_birth FROM bvn_verifications WHERE user_id = $1) AS date_of_birth,
                (SELECT nin_lookup FROM nin_verifications WHERE user_id = $1) AS nin_lookup",
        user.uuid(),
    )
    .fetch_one(db)
    .await
}

pub(super) async fn are_taken_in_op(
    op: &mut Op,
    user: UserId,
    bvn_lookup: Option<&[u8]>,
    nin_lookup: Option<&[u8]>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM bvn_verifications WHERE bvn_lookup = $2 AND user_id <> $1)
               OR EXISTS (SELECT FROM nin_verifications WHERE nin_lookup = $3 AND user_id <> $1) AS "taken!""#,
        user.uuid(),
        bvn_lookup,
        nin_lookup,
    )
    .fetch_one(&mut **op)
    .await
}

/// False when the person is verified with one already.
pub(super) async fn insert_bvn_in_op(
    op: &mut Op,
    user: UserId,
    bvn: &Bvn,
    provider: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO bvn_verifications (user_id, bvn_lookup, bvn, date_of_birth, provider, verified_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT ON CONSTRAINT bvn_verifications_pkey DO NOTHING",
        user.uuid(),
        bvn.lookup,
        bvn.sealed,
        bvn.date_of_birth,
        provider,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn insert_nin_in_op(
    op: &mut Op,
    user: UserId,
    nin: &Nin,
    provider: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO nin_verifications (user_id, nin_lookup, nin, provider, verified_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT nin_verifications_pkey DO NOTHING",
        user.uuid(),
        nin.lookup,
        nin.sealed,
        provider,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The number may be verified for another account of the person's. `nothing` is random.
pub(crate) async fn release_in_op(op: &mut Op, user: UserId, nothing: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE nin_verifications SET nin_lookup = $2 WHERE user_id = $1",
        user.uuid(),
        nothing.as_slice(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn delete_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM nin_verifications WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}
