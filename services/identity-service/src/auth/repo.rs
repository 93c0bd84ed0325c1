//! All SQL about password credentials.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::UserId;

use crate::users::Identifier;

/// A person's password hash, in PHC format, or of bcrypt where it came from elsewhere.
pub(crate) struct Credential {
    pub(crate) user_id: UserId,
    pub(crate) hash: String,
}

pub(crate) async fn insert_in_op(
    op: &mut Op,
    user: UserId,
    hash: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO password_credentials (user_id, hash, changed_at) VALUES ($1, $2, $3)",
        user.uuid(),
        hash,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// One statement whether there is such a person or not, so that both take as long.
pub(crate) async fn find(pool: &PgPool, identifier: &Identifier) -> sqlx::Result<Option<Credential>> {
    sqlx::query_as!(
        Credential,
        "SELECT user_id, hash FROM password_credentials JOIN users ON users.id = user_id
         WHERE email = $1 OR phone_number = $1",
        identifier.as_str(),
    )
    .fetch_optional(pool)
    .await
}

/// The same password under another hash. One that was changed meanwhile stays.
pub(crate) async fn rehash(pool: &PgPool, user: UserId, old: &str, new: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE password_credentials SET hash = $3 WHERE user_id = $1 AND hash = $2",
        user.uuid(),
        old,
        new,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The highest cost of the hashes of bcrypt that are stored, as it stands in them.
pub(crate) async fn highest_bcrypt(pool: &PgPool) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(r#"SELECT max(substr(hash, 5, 2)) FROM password_credentials WHERE hash LIKE '$2%'"#)
        .fetch_one(pool)
        .await
}
