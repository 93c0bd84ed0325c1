//! The SQL of webhooks and deposits.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::ids::TransactionId;
use uuid::Uuid;

use super::entity::{Deposit, Ending, Holder, Received};

/// A webhook as it came.
#[derive(Debug)]
pub(super) struct NewWebhook<'a> {
    pub(super) id: Uuid,
    pub(super) provider: &'a str,
    pub(super) body: &'a [u8],
    pub(super) body_hash: &'a [u8],
    pub(super) correlation_id: &'a str,
    pub(super) received_at: DateTime<Utc>,
}

/// False when the same body is there already.
pub(super) async fn store(pool: &PgPool, webhook: &NewWebhook<'_>) -> sqlx::Result<bool> {
    let inserted = sqlx::query!(
        "INSERT INTO webhooks (id, provider, body, body_hash, correlation_id, next_attempt_at, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT ON CONSTRAINT webhooks_body_key DO NOTHING",
        webhook.id,
        webhook.provider,
        webhook.body,
        webhook.body_hash,
        webhook.correlation_id,
        webhook.received_at,
    )
    .execute(pool)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// Takes up to `most` that are due from one of `providers`, until `leased_until`.
pub(super) async fn take_due(
    pool: &PgPool,
    providers: &[String],
    most: i64,
    now: DateTime<Utc>,
    leased_until: DateTime<Utc>,
) -> sqlx::Result<Vec<Received>> {
    sqlx::query_as!(
        Received,
        "UPDATE webhooks SET attempts = attempts + 1, next_attempt_at = $4
         WHERE id IN (
             SELECT id FROM webhooks
             WHERE status = 'received' AND next_attempt_at <= $3 AND provider = ANY ($1)
             ORDER BY next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING id, provider, body, attempts, correlation_id",
        providers,
        most,
        now,
        leased_until,
    )
    .fetch_all(pool)
    .await
}

/// The age in seconds of the oldest that has not ended; zero where there is none.
pub(super) async fn oldest_waiting(pool: &PgPool, now: DateTime<Utc>) -> sqlx::Result<f64> {
    let age = sqlx::query_scalar!(
        r#"SELECT COALESCE(EXTRACT(EPOCH FROM $1 - min(received_at)), 0)::float8 AS "age!"
           FROM webhooks WHERE status = 'received'"#,
        now,
    );
    age.fetch_one(pool).await
}

pub(super) async fn postpone(
    pool: &PgPool,
    webhook: Uuid,
    until: DateTime<Utc>,
    why: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE webhooks SET next_attempt_at = $2, result = $3 WHERE id = $1 AND status = 'received'",
        webhook,
        until,
        why,
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Ends a webhook; false when it had ended before.
pub(super) async fn end_in_op(
    op: &mut Op,
    webhook: Uuid,
    ending: Ending,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let updated = sqlx::query!(
        "UPDATE webhooks SET status = $2, result = $3, handled_at = $4 WHERE id = $1 AND status = 'received'",
        webhook,
        ending.status(),
        ending.name(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// To whom this account number leads, and their tier.
pub(super) async fn holder(
    pool: &PgPool,
    provider: &str,
    account_number: &str,
) -> sqlx::Result<Option<Holder>> {
    sqlx::query_as!(
        Holder,
        r#"SELECT user_id, account.wallet_id, customer.customer_id, owner.tier AS "tier?"
         FROM virtual_accounts AS account
         JOIN provider_customers AS customer USING (provider, user_id)
         LEFT JOIN wallet_owners AS owner USING (user_id)
         WHERE account.provider = $1 AND account.account_number = $2 AND account.status = 'active'"#,
        provider,
        account_number,
    )
    .fetch_optional(pool)
    .await
}

/// Writes the deposit; false when this reference has come in before. A concurrent one waits here for the first.
pub(super) async fn record_in_op(
    op: &mut Op,
    id: TransactionId,
    deposit: &Deposit,
    refusal: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let status = if refusal.is_some() { "suspended" } else { "credited" };
    let inserted = sqlx::query!(
        "INSERT INTO deposits
             (id, provider, reference, wallet_id, amount, currency, sender_name, status, refusal, credited_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT ON CONSTRAINT deposits_reference_key DO NOTHING",
        id.uuid(),
        deposit.provider,
        deposit.reference,
        deposit.wallet_id.uuid(),
        deposit.amount.amount,
        deposit.amount.currency.code(),
        deposit.sender_name,
        status,
        refusal,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(inserted.rows_affected() == 1)
}
