//! The SQL of transfers: settling them, and the lease by which requests and recovery keep out of each other's way.

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

/// Ends those that are still initiated, locking them in one order, and gives back how they ended.
pub(super) async fn settle_in_op(op: &mut Op, settlements: &[Settlement]) -> sqlx::Result<Vec<Transaction>> {
    let ids: Vec<Uuid> = settlements.iter().map(|end| end.id.uuid()).collect();
    let statuses: Vec<String> = settlements.iter().map(|end| end.status.name().to_owned()).collect();
    let word = |pick: fn(&Failure) -> &String| -> Vec<Option<String>> {
        settlements.iter().map(|end| end.failure.as_ref().map(|failure| pick(failure).clone())).collect()
    };
    let (codes, messages) = (word(|failure| &failure.code), word(|failure| &failure.message));
    let times: Vec<Option<DateTime<Utc>>> = settlements.iter().map(|end| end.completed_at).collect();
    let rows = query_transactions!(
        "WITH open AS (
             SELECT id FROM transactions WHERE id = ANY($1) AND status = 'initiated' ORDER BY id FOR UPDATE
         ), settled AS (
             UPDATE transactions t
             SET status = ends.status, failure_code = ends.code, failure_message = ends.message,
                 completed_at = ends.completed_at, leased_until = NULL
             FROM open JOIN UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
                      AS ends (id, status, code, message, completed_at) USING (id)
             WHERE t.id = open.id
             RETURNING t.*
         )",
        " FROM settled t",
        &ids,
        &statuses,
        &codes as &[Option<String>],
        &messages as &[Option<String>],
        &times as &[Option<DateTime<Utc>>],
    );
    read(rows.fetch_all(&mut **op).await?)
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
