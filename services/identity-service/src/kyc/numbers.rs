//! All SQL about the numbers that people are verified with, as cases know them: each of one person, encrypted before it comes here.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

use super::cases::entity::CaseId;

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
    pub(super) date_of_birth: Vec<u8>,
}

/// Keyed hashes of the numbers that a person is verified with, and since when.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) bvn_lookup: Option<Vec<u8>>,
    pub(super) bvn_verified_at: Option<DateTime<Utc>>,
    pub(super) nin_lookup: Option<Vec<u8>>,
    pub(super) nin_verified_at: Option<DateTime<Utc>>,
    /// Encrypted; the one that the numbers are registered with. None where only a national identification number was verified, by a
    /// release that did not keep it.
    pub(super) date_of_birth: Option<Vec<u8>>,
}

pub(super) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Verified> {
    sqlx::query_as!(
        Verified,
        r#"SELECT bvn.bvn_lookup AS "bvn_lookup?", bvn.verified_at AS "bvn_verified_at?",
                  nin.nin_lookup AS "nin_lookup?", nin.verified_at AS "nin_verified_at?",
                  COALESCE(bvn.date_of_birth, nin.date_of_birth) AS date_of_birth
           FROM (SELECT $1::uuid AS id) AS person
           LEFT JOIN bvn_verifications AS bvn ON bvn.user_id = person.id
           LEFT JOIN nin_verifications AS nin ON nin.user_id = person.id"#,
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

/// By whom a number was verified, when, and for which case.
#[derive(Debug, Clone, Copy)]
pub(super) struct VerifiedBy<'a> {
    pub(super) provider: &'a str,
    pub(super) case: CaseId,
    pub(super) now: DateTime<Utc>,
}

/// True when the person had none until now. The same number again is verified anew where the case looked it up.
pub(super) async fn upsert_bvn_in_op(
    op: &mut Op,
    user: UserId,
    bvn: &Bvn,
    by: VerifiedBy<'_>,
) -> sqlx::Result<bool> {
    let first = sqlx::query_scalar!(
        r#"INSERT INTO bvn_verifications AS held (user_id, bvn_lookup, bvn, date_of_birth, provider, verified_at)
           VALUES ($1, $2, $3, $4, $5, $6)
           ON CONFLICT ON CONSTRAINT bvn_verifications_pkey DO UPDATE
           SET provider = EXCLUDED.provider, verified_at = EXCLUDED.verified_at
           WHERE held.bvn_lookup = EXCLUDED.bvn_lookup AND EXISTS (SELECT FROM kyc_checks WHERE case_id = $7 AND kind = 'bvn')
           RETURNING xmax = 0 AS "first!""#,
        user.uuid(),
        bvn.lookup,
        bvn.sealed,
        bvn.date_of_birth,
        by.provider,
        by.now,
        by.case.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(first.unwrap_or(false))
}

/// As [`upsert_bvn_in_op`] does.
pub(super) async fn upsert_nin_in_op(
    op: &mut Op,
    user: UserId,
    nin: &Nin,
    by: VerifiedBy<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO nin_verifications AS held (user_id, nin_lookup, nin, date_of_birth, provider, verified_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT ON CONSTRAINT nin_verifications_pkey DO UPDATE
         SET provider = EXCLUDED.provider, verified_at = EXCLUDED.verified_at, date_of_birth = EXCLUDED.date_of_birth
         WHERE held.nin_lookup = EXCLUDED.nin_lookup AND EXISTS (SELECT FROM kyc_checks WHERE case_id = $7 AND kind = 'nin')",
        user.uuid(),
        nin.lookup,
        nin.sealed,
        nin.date_of_birth,
        by.provider,
        by.now,
        by.case.uuid(),
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
