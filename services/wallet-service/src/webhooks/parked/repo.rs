//! The SQL of deposits that wait on the suspense account.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    ids::{TransactionId, WalletId},
    money::{Currency, Money},
};
use uuid::Uuid;

use crate::webhooks::entity::Deposit;

/// One that is within the ceilings of its wallet.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) id: Uuid,
    pub(super) amount: Money,
    /// Of the owner, if it was told.
    pub(super) tier: Option<i16>,
}

/// Those that wait for one of these reasons and are within the ceilings of a wallet that takes money, oldest first, from the
/// one behind `after` on.
pub(super) async fn within_ceilings(
    pool: &PgPool,
    reasons: &[String],
    after: Uuid,
    most: i64,
) -> sqlx::Result<Vec<Candidate>> {
    let rows = sqlx::query!(
        r#"SELECT d.id, d.amount, d.currency, o.tier AS "tier?"
           FROM deposits d
           JOIN wallets w ON w.id = d.wallet_id
           JOIN balances b ON b.account_id = d.wallet_id
           LEFT JOIN wallet_owners o USING (user_id)
           WHERE d.status = 'suspended' AND d.refusal = ANY ($1) AND d.id > $2
             AND b.status IN ('active', 'frozen_out')
             AND (b.ceiling IS NULL OR b.posted::numeric + d.amount <= b.ceiling)
             AND (b.intake_ceiling IS NULL OR b.posted::numeric + d.amount <= b.intake_ceiling)
           ORDER BY d.id LIMIT $3"#,
        reasons,
        after,
        most,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| Ok(Candidate { id: row.id, amount: money(row.amount, &row.currency)?, tier: row.tier }))
        .collect()
}

/// The deposit, if it waits still and no other worker has it; it is this transaction's until that ends.
pub(super) async fn lock_in_op(op: &mut Op, id: Uuid) -> sqlx::Result<Option<Deposit>> {
    let row = sqlx::query!(
        "SELECT d.provider, d.reference, w.user_id, d.wallet_id, d.amount, d.currency, d.sender_name
         FROM deposits d JOIN wallets w ON w.id = d.wallet_id
         WHERE d.id = $1 AND d.status = 'suspended' FOR UPDATE OF d SKIP LOCKED",
        id,
    )
    .fetch_optional(&mut **op)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Deposit {
        provider: row.provider,
        reference: row.reference,
        user_id: row.user_id.into(),
        wallet_id: row.wallet_id.into(),
        amount: money(row.amount, &row.currency)?,
        sender_name: row.sender_name,
    }))
}

/// After [`lock_in_op`].
pub(super) async fn released_in_op(
    op: &mut Op,
    id: Uuid,
    by: TransactionId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE deposits SET status = 'released', released_by = $2, released_at = $3 WHERE id = $1",
        id,
        by.uuid(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// How many wait for the same reason, and since when the oldest of them.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) reason: String,
    pub(super) count: i64,
    pub(super) oldest_seconds: f64,
}

/// By reason; those that are none of `named` wait for a person, and are told together.
pub(super) async fn waiting(
    pool: &PgPool,
    named: &[String],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as!(
        Waiting,
        r#"SELECT CASE WHEN refusal = ANY ($1) THEN refusal ELSE 'manual' END AS "reason!", count(*) AS "count!",
                  EXTRACT(EPOCH FROM $2 - min(credited_at))::float8 AS "oldest_seconds!"
           FROM deposits WHERE status = 'suspended' GROUP BY 1"#,
        named,
        now,
    )
    .fetch_all(pool)
    .await
}

/// One as operators see it. Who sent it is not told.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(crate) id: Uuid,
    pub(crate) since: DateTime<Utc>,
    pub(crate) wallet_id: WalletId,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) reason: String,
    pub(crate) provider: String,
    pub(crate) reference: String,
}

/// All that wait, oldest first, from the one behind `after` on.
pub(crate) async fn list(pool: &PgPool, after: Uuid, most: i64) -> sqlx::Result<Vec<Parked>> {
    sqlx::query_as!(
        Parked,
        r#"SELECT id, credited_at AS since, wallet_id, amount, currency, refusal AS "reason!", provider, reference
           FROM deposits WHERE status = 'suspended' AND id > $1 ORDER BY id LIMIT $2"#,
        after,
        most,
    )
    .fetch_all(pool)
    .await
}

fn money(amount: i64, currency: &str) -> sqlx::Result<Money> {
    let currency: Currency = currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    Ok(Money::new(amount, currency))
}
