//! The SQL of transfers: settling them, and the lease by which requests and recovery keep out of each other's way.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::TransactionId;
use sqlx::types::Uuid;

use crate::transactions::{
    Failure, Status, Transaction,
    row::{query_transactions, read},
};

/// How a transfer ends.
#[derive(Debug)]
pub(super) struct Settlement {
    pub(super) id: TransactionId,
    pub(super) status: Status,
    pub(super) failure: Option<Failure>,
    pub(super) completed_at: Option<DateTime<Utc>>,
}

impl Settlement {
    /// The transfer as the database has it after this.
    pub(super) fn applied_to(&self, transfer: &Transaction) -> Transaction {
        Transaction {
            status: self.status,
            failure: self.failure.clone(),
            completed_at: self.completed_at,
            leased_until: None,
            ..transfer.clone()
        }
    }
}

/// Ends those that are still initiated, and names them. In id order, so that two who end the same do not wait in a circle.
pub(super) async fn settle_in_op(
    op: &mut Op,
    settlements: &[Settlement],
) -> sqlx::Result<HashSet<TransactionId>> {
    let mut sorted: Vec<&Settlement> = settlements.iter().collect();
    sorted.sort_unstable_by_key(|end| end.id);
    let ids: Vec<Uuid> = sorted.iter().map(|end| end.id.uuid()).collect();
    let statuses: Vec<&str> = sorted.iter().map(|end| end.status.name()).collect();
    let word = |pick: fn(&Failure) -> &str| -> Vec<Option<&str>> {
        sorted.iter().map(|end| end.failure.as_ref().map(pick)).collect()
    };
    let (codes, messages) = (word(|failure| &failure.code), word(|failure| &failure.message));
    let times: Vec<Option<DateTime<Utc>>> = sorted.iter().map(|end| end.completed_at).collect();
    // Those with a lease are the initiated ones. Asked by the status, the planner would look for them in the index of all that
    // are initiated, and find there every transfer of the last minutes.
    let ended = sqlx::query_scalar!(
        "UPDATE transactions t
         SET status = ends.status, failure_code = ends.code, failure_message = ends.message,
             completed_at = ends.completed_at, leased_until = NULL
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
              AS ends (id, status, code, message, completed_at)
         WHERE t.id = ends.id AND t.leased_until IS NOT NULL
         RETURNING t.id",
        &ids,
        &statuses as &[&str],
        &codes as &[Option<&str>],
        &messages as &[Option<&str>],
        &times as &[Option<DateTime<Utc>>],
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(ended.into_iter().map(TransactionId::from).collect())
}

/// Takes over transfers whose lease is over, each for one taker only.
pub(super) async fn take_expired(
    pool: &PgPool,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<Transaction>> {
    let rows = query_transactions!(
        "WITH expired AS (
             SELECT id FROM transactions WHERE status = 'initiated' AND leased_until <= $1
             ORDER BY leased_until LIMIT $3 FOR UPDATE SKIP LOCKED
         ), taken AS (
             UPDATE transactions t SET leased_until = $2 FROM expired WHERE t.id = expired.id RETURNING t.*
         )",
        " FROM taken t ORDER BY t.created_at, t.id",
        now,
        until,
        most,
    );
    read(rows.fetch_all(pool).await?)
}

/// Takes over one transfer, if its lease is over.
pub(super) async fn take_over(
    pool: &PgPool,
    id: TransactionId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Option<Transaction>> {
    let rows = query_transactions!(
        "WITH taken AS (
             UPDATE transactions SET leased_until = $3
             WHERE id = $1 AND status = 'initiated' AND leased_until <= $2 RETURNING *
         )",
        " FROM taken t",
        id.uuid(),
        now,
        until,
    );
    rows.fetch_optional(pool).await?.map(Transaction::try_from).transpose()
}

/// Ends leases early, after a failure that is known. A lease that somebody else has taken since is left alone.
pub(super) async fn release(pool: &PgPool, held: &[Transaction], until: DateTime<Utc>) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = held.iter().map(|transfer| transfer.id.uuid()).collect();
    let leases: Vec<Option<DateTime<Utc>>> = held.iter().map(|transfer| transfer.leased_until).collect();
    sqlx::query!(
        "WITH mine AS (
             SELECT t.id FROM transactions t
             JOIN UNNEST($1::uuid[], $2::timestamptz[]) AS held (id, leased_until)
                  ON t.id = held.id AND t.leased_until = held.leased_until
             WHERE t.status = 'initiated' ORDER BY t.id FOR UPDATE OF t
         )
         UPDATE transactions t SET leased_until = $3 FROM mine WHERE t.id = mine.id",
        &ids,
        &leases as &[Option<DateTime<Utc>>],
        until,
    )
    .execute(pool)
    .await?;
    Ok(())
}

pub(super) async fn count_initiated(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "open!" FROM transactions WHERE status = 'initiated'"#)
        .fetch_one(pool)
        .await
}
