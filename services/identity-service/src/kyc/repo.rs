//! All SQL about one verified bank verification number: what the bank is told, and what becomes of it in time. `numbers` writes it.

use common_db::Op;
use common_utils::ids::UserId;
use sqlx::PgExecutor;

/// A verified number as it is stored.
pub(crate) struct Verification {
    pub(crate) bvn: Vec<u8>,
    pub(crate) date_of_birth: Vec<u8>,
}

/// Not of who had themselves erased: what is kept of them answers no call.
pub(crate) async fn find(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<Verification>> {
    sqlx::query_as!(
        Verification,
        "SELECT bvn, date_of_birth FROM bvn_verifications
         WHERE user_id = $1 AND NOT EXISTS (SELECT FROM erasures WHERE erasures.user_id = $1)",
        user.uuid(),
    )
    .fetch_optional(db)
    .await
}

/// A number that is still encrypted under the deployment's key.
pub(crate) struct Unmoved {
    pub(crate) user: UserId,
    pub(crate) bvn: Vec<u8>,
    pub(crate) date_of_birth: Vec<u8>,
}

/// The next of them after this person.
pub(crate) async fn unmoved(
    db: impl PgExecutor<'_>,
    after: Option<UserId>,
    limit: i64,
) -> sqlx::Result<Vec<Unmoved>> {
    sqlx::query_as!(
        Unmoved,
        r#"SELECT user_id AS "user", bvn, date_of_birth FROM bvn_verifications
           WHERE get_byte(bvn, 0) = 1 AND ($1::uuid IS NULL OR user_id > $1) ORDER BY user_id LIMIT $2"#,
        after.map(UserId::uuid),
        limit,
    )
    .fetch_all(db)
    .await
}

/// Puts what its person's key has encrypted in its place, unless somebody else has.
pub(crate) async fn move_to_own_key(
    db: impl PgExecutor<'_>,
    unmoved: &Unmoved,
    bvn: &[u8],
    date_of_birth: &[u8],
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE bvn_verifications SET bvn = $2, date_of_birth = $3 WHERE user_id = $1 AND bvn = $4",
        unmoved.user.uuid(),
        bvn,
        date_of_birth,
        unmoved.bvn,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The number may be verified for another account of the person's. `nothing` is random.
pub(crate) async fn release_number_in_op(op: &mut Op, user: UserId, nothing: &[u8; 32]) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE bvn_verifications SET bvn_lookup = $2 WHERE user_id = $1",
        user.uuid(),
        nothing.as_slice(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn delete_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM bvn_verifications WHERE user_id = $1", user.uuid()).execute(&mut **op).await?;
    Ok(())
}
