//! The SQL of virtual accounts.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::{UserId, WalletId};

use super::entity::Wanted;
use crate::providers::IssuedAccount;

pub(super) async fn request_in_op(
    op: &mut Op,
    provider: &str,
    wallet: WalletId,
    user: UserId,
    correlation_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO virtual_accounts (wallet_id, user_id, provider, correlation_id, next_attempt_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT ON CONSTRAINT virtual_accounts_pkey DO NOTHING",
        wallet.uuid(),
        user.uuid(),
        provider,
        correlation_id,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Takes up to `most` that are due at one of `providers`, until `leased_until`.
pub(super) async fn take_due(
    pool: &PgPool,
    providers: &[String],
    most: i64,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
) -> sqlx::Result<Vec<Wanted>> {
    let rows = sqlx::query!(
        "UPDATE virtual_accounts SET attempts = attempts + 1, next_attempt_at = $4
         WHERE wallet_id IN (
             SELECT wallet_id FROM virtual_accounts
             WHERE status = 'requested' AND next_attempt_at <= $3 AND provider = ANY ($1)
             ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING wallet_id, user_id, provider, attempts, correlation_id",
        providers,
        most,
        now,
        leased_until,
    )
    .fetch_all(pool)
    .await?;
    let wanted = rows.into_iter().map(|row| Wanted {
        wallet_id: row.wallet_id.into(),
        user_id: row.user_id.into(),
        provider: row.provider,
        attempts: row.attempts,
        correlation_id: row.correlation_id,
    });
    Ok(wanted.collect())
}

/// Writes the customer down, or tells as whom the provider knew this person before.
pub(super) async fn know_customer_in_op(
    op: &mut Op,
    wanted: &Wanted,
    customer_id: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<String> {
    sqlx::query_scalar!(
        "INSERT INTO provider_customers AS known (provider, user_id, customer_id, created_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT ON CONSTRAINT provider_customers_pkey DO UPDATE SET customer_id = known.customer_id
         RETURNING customer_id",
        wanted.provider,
        wanted.user_id.uuid(),
        customer_id,
        now,
    )
    .fetch_one(&mut **op)
    .await
}

/// False when it was active already.
pub(super) async fn activate_in_op(
    op: &mut Op,
    wanted: &Wanted,
    account: &IssuedAccount,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "UPDATE virtual_accounts
         SET status = 'active', account_number = $2, account_name = $3, bank_name = $4, bank_code = $5,
             issued_at = $6, last_error = NULL
         WHERE wallet_id = $1 AND status = 'requested'",
        wanted.wallet_id.uuid(),
        account.account_number,
        account.account_name,
        account.bank_name,
        account.bank_code,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(updated.rows_affected() == 1)
}

pub(super) async fn postpone(
    pool: &PgPool,
    wallet: WalletId,
    until: DateTime<Utc>,
    error: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE virtual_accounts SET next_attempt_at = $2, last_error = $3
         WHERE wallet_id = $1 AND status = 'requested'",
        wallet.uuid(),
        until,
        error,
    )
    .execute(pool)
    .await?;
    Ok(())
}
