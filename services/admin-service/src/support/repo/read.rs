//! What staff read. Where tables are joined, they come in the order in which the read model names them.

use chrono::{DateTime, Utc};
use common_db::PgPool;
use common_utils::{
    http::paging::Limit,
    ids::{TransactionId, UserId},
};
use uuid::Uuid;

/// More wallets than anybody has.
const MOST_WALLETS: i64 = 100;
const MOST_ACCOUNTS: i64 = 200;

pub(in super::super) struct UserRow {
    pub(in super::super) user_id: Uuid,
    pub(in super::super) email_masked: String,
    pub(in super::super) phone_masked: String,
    pub(in super::super) first_name: String,
    pub(in super::super) last_name: String,
    pub(in super::super) kyc_tier: i16,
    pub(in super::super) roles: Vec<String>,
    pub(in super::super) status: String,
    pub(in super::super) created_at: DateTime<Utc>,
    pub(in super::super) as_of: DateTime<Utc>,
}

pub(in super::super) struct WalletRow {
    pub(in super::super) wallet_id: Uuid,
    pub(in super::super) user_id: Uuid,
    pub(in super::super) currency: String,
    pub(in super::super) name: Option<String>,
    pub(in super::super) status: String,
    pub(in super::super) frozen: Option<String>,
    pub(in super::super) reason: Option<String>,
    pub(in super::super) created_at: DateTime<Utc>,
    pub(in super::super) as_of: DateTime<Utc>,
    pub(in super::super) posted: Option<i64>,
    pub(in super::super) sequence: Option<i64>,
    pub(in super::super) posted_as_of: Option<DateTime<Utc>>,
}

pub(in super::super) struct AccountRow {
    pub(in super::super) wallet_id: Uuid,
    pub(in super::super) bank_code: String,
    pub(in super::super) account_number_masked: String,
    pub(in super::super) issued_at: DateTime<Utc>,
    pub(in super::super) account_name: String,
    pub(in super::super) bank_name: String,
    pub(in super::super) provider: String,
}

pub(in super::super) struct TransactionRow {
    pub(in super::super) transaction_id: Uuid,
    pub(in super::super) kind: String,
    pub(in super::super) status: String,
    pub(in super::super) amount: i64,
    pub(in super::super) currency: String,
    pub(in super::super) fee: i64,
    pub(in super::super) fee_currency: String,
    pub(in super::super) from_wallet_id: Option<Uuid>,
    pub(in super::super) to_wallet_id: Option<Uuid>,
    pub(in super::super) from_user_id: Option<Uuid>,
    pub(in super::super) to_user_id: Option<Uuid>,
    pub(in super::super) reference: String,
    pub(in super::super) failure: Option<String>,
    pub(in super::super) created_at: DateTime<Utc>,
    pub(in super::super) completed_at: Option<DateTime<Utc>>,
    pub(in super::super) as_of: DateTime<Utc>,
    /// Names, where they are known: of the two people, and of who sent money from a bank.
    pub(in super::super) from_name: Option<String>,
    pub(in super::super) to_name: Option<String>,
    pub(in super::super) outside_name: Option<String>,
}

/// Those of these people that are known, in any order.
pub(in super::super) async fn users(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<Vec<UserRow>> {
    sqlx::query_as!(
        UserRow,
        "SELECT user_id, email_masked, phone_masked, first_name, last_name, kyc_tier, roles, status, created_at, as_of
         FROM support_users WHERE user_id = ANY ($1)",
        ids,
    )
    .fetch_all(pool)
    .await
}

/// Oldest first.
pub(in super::super) async fn wallets_of(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<WalletRow>> {
    sqlx::query_as!(
        WalletRow,
        r#"SELECT w.wallet_id, w.user_id, w.currency, w.name, w.status, w.frozen, w.reason, w.created_at, w.as_of,
                  b.posted AS "posted?", b.sequence AS "sequence?", b.as_of AS "posted_as_of?"
           FROM support_wallets w LEFT JOIN support_balances b USING (wallet_id)
           WHERE w.user_id = $1 ORDER BY w.wallet_id LIMIT $2"#,
        user.uuid(),
        MOST_WALLETS,
    )
    .fetch_all(pool)
    .await
}

/// Those of these wallets that are known, oldest first.
pub(in super::super) async fn wallets(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<Vec<WalletRow>> {
    sqlx::query_as!(
        WalletRow,
        r#"SELECT w.wallet_id, w.user_id, w.currency, w.name, w.status, w.frozen, w.reason, w.created_at, w.as_of,
                  b.posted AS "posted?", b.sequence AS "sequence?", b.as_of AS "posted_as_of?"
           FROM support_wallets w LEFT JOIN support_balances b USING (wallet_id)
           WHERE w.wallet_id = ANY ($1) ORDER BY w.wallet_id"#,
        ids,
    )
    .fetch_all(pool)
    .await
}

/// The account numbers that lead to these wallets, oldest first.
pub(in super::super) async fn accounts(pool: &PgPool, wallets: &[Uuid]) -> sqlx::Result<Vec<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        "SELECT wallet_id, bank_code, account_number_masked, issued_at, account_name, bank_name, provider
         FROM support_accounts WHERE wallet_id = ANY ($1) ORDER BY issued_at, account_number_masked LIMIT $2",
        wallets,
        MOST_ACCOUNTS,
    )
    .fetch_all(pool)
    .await
}

pub(in super::super) async fn transaction(
    pool: &PgPool,
    id: TransactionId,
) -> sqlx::Result<Option<TransactionRow>> {
    Ok(transactions(pool, &[id.uuid()]).await?.pop())
}

/// Newest first, those before `before`.
pub(in super::super) async fn transactions_of(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Vec<TransactionRow>> {
    // Each side along its own index; what one sends to oneself is on both.
    let ids = sqlx::query_scalar!(
        r#"SELECT transaction_id AS "id!" FROM (
               (SELECT transaction_id FROM support_transactions WHERE from_user_id = $1 AND transaction_id < $2
                ORDER BY transaction_id DESC LIMIT $3)
               UNION
               (SELECT transaction_id FROM support_transactions WHERE to_user_id = $1 AND transaction_id < $2
                ORDER BY transaction_id DESC LIMIT $3)) AS theirs
           ORDER BY transaction_id DESC LIMIT $3"#,
        user.uuid(),
        before.unwrap_or(Uuid::max()),
        limit.rows(),
    )
    .fetch_all(pool)
    .await?;
    transactions(pool, &ids).await
}

/// Newest first.
async fn transactions(pool: &PgPool, ids: &[Uuid]) -> sqlx::Result<Vec<TransactionRow>> {
    sqlx::query_as!(
        TransactionRow,
        r#"SELECT t.transaction_id, t.type AS kind, t.status, t.amount, t.currency, t.fee, t.fee_currency, t.from_wallet_id,
                  t.to_wallet_id, t.from_user_id, t.to_user_id, t.reference, t.failure, t.created_at, t.completed_at, t.as_of,
                  f.first_name || ' ' || f.last_name AS from_name, r.first_name || ' ' || r.last_name AS to_name,
                  (SELECT c.name FROM support_counterparties c WHERE c.transaction_id = t.transaction_id
                   ORDER BY c.entry_id LIMIT 1) AS outside_name
           FROM support_transactions t
           LEFT JOIN support_users f ON f.user_id = t.from_user_id
           LEFT JOIN support_users r ON r.user_id = t.to_user_id
           WHERE t.transaction_id = ANY ($1) ORDER BY t.transaction_id DESC"#,
        ids,
    )
    .fetch_all(pool)
    .await
}
