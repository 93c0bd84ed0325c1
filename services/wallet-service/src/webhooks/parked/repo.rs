//! The SQL of deposits that wait on the suspense account.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    ids::{TransactionId, WalletId},
    money::{Currency, Money},
};
use uuid::Uuid;

use super::entity::{BankReference, Parked, Standing};
use crate::{owners::SingleDeposits, webhooks::entity::Deposit};

/// Which rows of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    /// From the one behind it on.
    pub(super) after: Uuid,
    pub(super) most: i64,
}

/// Those that wait for one of these reasons, are no more than the tier of the owner takes in at once, and are within the ceilings
/// of a wallet that takes money, oldest first.
pub(super) async fn fitting(
    pool: &PgPool,
    reasons: &[String],
    figures: &SingleDeposits,
    page: Page,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT d.id
         FROM deposits d
         JOIN wallets w ON w.id = d.wallet_id
         JOIN balances b ON b.account_id = d.wallet_id
         LEFT JOIN wallet_owners o USING (user_id)
         -- Arrays count from 1. Who was not told of, or has a tier that is not known here, is worth tier 0.
         CROSS JOIN LATERAL (
             SELECT ($5::bigint[])[
                 1 + CASE WHEN o.tier BETWEEN 0 AND cardinality($5::bigint[]) - 1 THEN o.tier ELSE 0 END] AS most
         ) AS single
         WHERE d.status = 'suspended' AND d.refusal = ANY ($1) AND d.id > $2
           AND b.status IN ('active', 'frozen_out')
           AND (b.ceiling IS NULL OR b.posted::numeric + d.amount <= b.ceiling)
           AND (b.intake_ceiling IS NULL OR b.posted::numeric + d.amount <= b.intake_ceiling)
           AND (d.currency <> $4 OR single.most IS NULL OR d.amount <= single.most)
         ORDER BY d.id LIMIT $3",
        reasons,
        page.after,
        page.most,
        figures.currency.code(),
        &figures.of_tiers as &[Option<i64>],
    )
    .fetch_all(pool)
    .await
}

/// A row as it is locked.
struct Row {
    provider: String,
    reference: String,
    user_id: Uuid,
    wallet_id: Uuid,
    amount: i64,
    currency: String,
    sender_name: Option<String>,
    tier: Option<i16>,
    status: String,
    bank_reference: Option<String>,
}

impl TryFrom<Row> for Parked {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let currency: Currency =
            row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let standing = match (row.status.as_str(), row.bank_reference) {
            ("suspended", _) => Standing::Waits,
            ("released", _) => Standing::Released,
            ("returned", Some(bank_reference)) => Standing::Returned { bank_reference },
            (other, _) => return Err(sqlx::Error::Decode(format!("a deposit that is {other}").into())),
        };
        let deposit = Deposit {
            provider: row.provider,
            reference: row.reference,
            user_id: row.user_id.into(),
            wallet_id: row.wallet_id.into(),
            amount: Money::new(row.amount, currency),
            sender_name: row.sender_name,
        };
        Ok(Self { deposit, tier: row.tier, standing })
    }
}

/// The deposit, if it waits still for one of these reasons and nobody else has it; it is this transaction's until that ends.
pub(super) async fn lock_free_in_op(
    op: &mut Op,
    id: Uuid,
    reasons: &[String],
) -> sqlx::Result<Option<Parked>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT d.provider, d.reference, w.user_id, d.wallet_id, d.amount, d.currency, d.sender_name, o.tier AS "tier?",
                  d.status, d.bank_reference
           FROM deposits d JOIN wallets w ON w.id = d.wallet_id LEFT JOIN wallet_owners o USING (user_id)
           WHERE d.id = $1 AND d.status = 'suspended' AND d.refusal = ANY ($2) FOR UPDATE OF d SKIP LOCKED"#,
        id,
        reasons,
    )
    .fetch_optional(&mut **op)
    .await?;
    row.map(Parked::try_from).transpose()
}

/// The deposit, if it ever waited; it is this transaction's until that ends. Waits for whoever has it.
pub(super) async fn lock_in_op(op: &mut Op, id: Uuid) -> sqlx::Result<Option<Parked>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT d.provider, d.reference, w.user_id, d.wallet_id, d.amount, d.currency, d.sender_name, o.tier AS "tier?",
                  d.status, d.bank_reference
           FROM deposits d JOIN wallets w ON w.id = d.wallet_id LEFT JOIN wallet_owners o USING (user_id)
           WHERE d.id = $1 AND d.status <> 'credited' FOR UPDATE OF d"#,
        id,
    )
    .fetch_optional(&mut **op)
    .await?;
    row.map(Parked::try_from).transpose()
}

/// How a deposit leaves the suspense account.
#[derive(Debug, Clone, Copy)]
pub(super) enum End<'a> {
    Released,
    Returned(&'a BankReference),
}

/// After the row's lock.
pub(super) async fn end_in_op(
    op: &mut Op,
    id: Uuid,
    end: End<'_>,
    by: TransactionId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let (status, bank_reference) = match end {
        End::Released => ("released", None),
        End::Returned(reference) => ("returned", Some(reference.as_str())),
    };
    sqlx::query!(
        "UPDATE deposits SET status = $2, bank_reference = $3, ended_by = $4, ended_at = $5 WHERE id = $1",
        id,
        status,
        bank_reference,
        by.uuid(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Whether any deposit to this wallet waits.
pub(crate) async fn is_any_of_in_op(op: &mut Op, wallet: WalletId) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM deposits WHERE wallet_id = $1 AND status = 'suspended') AS "waits!""#,
        wallet.uuid(),
    )
    .fetch_one(&mut **op)
    .await
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
pub(crate) struct Listed {
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
pub(crate) async fn list(pool: &PgPool, after: Uuid, most: i64) -> sqlx::Result<Vec<Listed>> {
    sqlx::query_as!(
        Listed,
        r#"SELECT id, credited_at AS since, wallet_id, amount, currency, refusal AS "reason!", provider, reference
           FROM deposits WHERE status = 'suspended' AND id > $1 ORDER BY id LIMIT $2"#,
        after,
        most,
    )
    .fetch_all(pool)
    .await
}
