//! A database transaction. What takes one ends in `_in_op`, takes it first, and never commits: only the outermost
//! function does.

use sqlx::{PgPool, Postgres, Transaction};

pub type Op = Transaction<'static, Postgres>;

/// Begins a transaction; dropped without `commit()` it is rolled back.
pub async fn begin(pool: &PgPool) -> sqlx::Result<Op> {
    pool.begin().await
}
