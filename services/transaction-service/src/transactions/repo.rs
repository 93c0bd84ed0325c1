//! The SQL of transactions in general: writing new ones, finding one, a page of many.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    http::paging::Limit,
    ids::{TransactionId, WalletId},
};
use sqlx::types::Uuid;

use super::{
    entity::{Party, Status, Transaction, TransactionType},
    row::{query_transactions, read},
};

/// Writes new transactions with one statement; the answer names those that were not there before.
pub(crate) async fn insert_in_op(op: &mut Op, new: &[&Transaction]) -> sqlx::Result<Vec<TransactionId>> {
    let wallet = |party: &Option<Party>| party.as_ref().map(|party| party.wallet.uuid());
    let user = |party: &Option<Party>| party.as_ref().map(|party| party.user.uuid());
    let name = |party: &Option<Party>| party.as_ref().and_then(|party| party.name.clone());
    let from_name = |t: &Transaction| name(&t.from).or_else(|| t.outside_name.clone());
    let inserted = sqlx::query_scalar!(
        "INSERT INTO transactions (id, type, status, amount, fee, currency, from_wallet_id, to_wallet_id, from_user_id,
             to_user_id, from_name, to_name, narration, reference, correlation_id, leased_until, created_at, completed_at)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::uuid[],
             $8::uuid[], $9::uuid[], $10::uuid[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
             $16::timestamptz[], $17::timestamptz[], $18::timestamptz[])
         ON CONFLICT ON CONSTRAINT transactions_pkey DO NOTHING
         RETURNING id",
        &column(new, |t| t.id.uuid()),
        &column(new, |t| t.kind.name().to_owned()),
        &column(new, |t| t.status.name().to_owned()),
        &column(new, |t| t.amount.amount),
        &column(new, |t| t.fee.amount),
        &column(new, |t| t.amount.currency.code().to_owned()),
        &column(new, |t| wallet(&t.from)) as &[Option<Uuid>],
        &column(new, |t| wallet(&t.to)) as &[Option<Uuid>],
        &column(new, |t| user(&t.from)) as &[Option<Uuid>],
        &column(new, |t| user(&t.to)) as &[Option<Uuid>],
        &column(new, from_name) as &[Option<String>],
        &column(new, |t| name(&t.to)) as &[Option<String>],
        &column(new, |t| t.narration.clone()) as &[Option<String>],
        &column(new, |t| t.reference.clone()),
        &column(new, |t| t.correlation_id.clone()),
        &column(new, |t| t.leased_until) as &[Option<DateTime<Utc>>],
        &column(new, |t| t.created_at),
        &column(new, |t| t.completed_at) as &[Option<DateTime<Utc>>],
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(inserted.into_iter().map(TransactionId::from).collect())
}

fn column<T>(rows: &[&Transaction], value: impl Fn(&Transaction) -> T) -> Vec<T> {
    rows.iter().map(|row| value(row)).collect()
}

pub(crate) async fn find(pool: &PgPool, ids: &[TransactionId]) -> sqlx::Result<Vec<Transaction>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = query_transactions!("", " FROM transactions t WHERE t.id = ANY($1)", &ids);
    read(rows.fetch_all(pool).await?)
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
