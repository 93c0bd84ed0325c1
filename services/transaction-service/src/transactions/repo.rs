//! The SQL of transactions in general: writing new ones, finding one, a page of many.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    http::paging::Limit,
    ids::{TransactionId, WalletId},
};
use sqlx::{PgExecutor, types::Uuid};

use super::{
    columns::{Columns, insert_transactions},
    entity::{Status, Transaction, TransactionType},
    row::{query_transactions, read},
};

/// Writes a new transaction; the answer is whether it was not there before.
pub(crate) async fn insert_in_op(op: &mut Op, new: &Transaction) -> sqlx::Result<bool> {
    let columns = Columns::of(&[new]);
    let inserted = insert_transactions!(
        "",
        "",
        "new.leased_until",
        "",
        " ON CONFLICT ON CONSTRAINT transactions_pkey DO NOTHING RETURNING id",
        columns
    );
    Ok(inserted.fetch_optional(&mut **op).await?.is_some())
}

pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    ids: &[TransactionId],
) -> sqlx::Result<Vec<Transaction>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = query_transactions!("", " FROM transactions t WHERE t.id = ANY($1)", &ids);
    read(rows.fetch_all(executor).await?)
}

pub(crate) async fn find_one(pool: &PgPool, id: TransactionId) -> sqlx::Result<Option<Transaction>> {
    Ok(find(pool, &[id]).await?.pop())
}

/// Where a page starts, and what it leaves out. Times are within what Postgres can hold.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) kind: Option<TransactionType>,
    pub(crate) status: Option<Status>,
    /// From this moment on.
    pub(crate) from: DateTime<Utc>,
    /// Before this moment.
    pub(crate) to: DateTime<Utc>,
    /// Older than this one.
    pub(crate) after: (DateTime<Utc>, Uuid),
}

/// The newest transactions of these wallets, newest first. For each wallet this is a scan of its two indexes that
/// ends after a page; a transaction between two of the wallets is listed once.
pub(crate) async fn list(
    pool: &PgPool,
    wallets: &[WalletId],
    filter: &Filter,
    limit: Limit,
) -> sqlx::Result<Vec<Transaction>> {
    let wallets: Vec<Uuid> = wallets.iter().map(|id| id.uuid()).collect();
    let rows = query_transactions!(
        "",
        " FROM UNNEST($1::uuid[]) AS mine (wallet_id)
          CROSS JOIN LATERAL (
              SELECT w.* FROM wallet_transactions w
              WHERE w.wallet_id = mine.wallet_id
                AND w.visible
                AND NOT (w.incoming AND w.from_wallet_id IS NOT NULL AND w.from_wallet_id = ANY($1))
                AND (w.created_at, w.id) < ($2, $3)
                AND w.created_at >= $4 AND w.created_at < $5
                AND ($6::text IS NULL OR w.type = $6)
                AND ($7::text IS NULL OR w.status = $7)
              ORDER BY w.created_at DESC, w.id DESC
              LIMIT $8
          ) t
          ORDER BY t.created_at DESC, t.id DESC
          LIMIT $8",
        &wallets,
        filter.after.0,
        filter.after.1,
        filter.from,
        filter.to,
        filter.kind.map(TransactionType::name),
        filter.status.map(Status::name),
        limit.rows(),
    );
    read(rows.fetch_all(pool).await?)
}
