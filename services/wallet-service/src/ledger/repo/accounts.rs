//! Accounts: opened, locked, frozen.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::money::Currency;
use uuid::Uuid;

use crate::ledger::{AccountId, AccountStatus, LedgerError, PlatformAccount, PlatformIds};

/// Locks the balances of these accounts until the transaction ends, in id order. Whoever changes a balance, or what is
/// decided about it, comes through here first.
pub(in crate::ledger) async fn lock_in_op(op: &mut Op, accounts: &[AccountId]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    sqlx::query_scalar!(
        "SELECT account_id FROM balances WHERE account_id = ANY($1) ORDER BY account_id FOR UPDATE",
        &ids,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(())
}

/// The account of a new wallet, at zero.
pub async fn open_customer_account_in_op(
    op: &mut Op,
    id: AccountId,
    currency: Currency,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH opened AS (
             INSERT INTO accounts (id, kind, currency, created_at) VALUES ($1, 'customer', $2, $3)
             RETURNING id, currency, may_overdraw
         )
         INSERT INTO balances (account_id, currency, may_overdraw, updated_at)
         SELECT id, currency, may_overdraw, $3 FROM opened",
        id.uuid(),
        currency.code(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The ids of the platform's accounts; those that are used for the first time are opened. Two who open the same at
/// once end up with the same: the second waits for the first one's commit and finds it.
pub(in crate::ledger) async fn open_platform_accounts_in_op(
    op: &mut Op,
    wanted: &[(PlatformAccount, Currency)],
    now: DateTime<Utc>,
) -> Result<PlatformIds, LedgerError> {
    let mut known = platform_ids_in_op(op, wanted).await?;
    if known.len() < wanted.len() {
        insert_platform_accounts_in_op(op, wanted, now).await?;
        known = platform_ids_in_op(op, wanted).await?;
    }
    Ok(known)
}

async fn platform_ids_in_op(
    op: &mut Op,
    wanted: &[(PlatformAccount, Currency)],
) -> Result<PlatformIds, LedgerError> {
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let (codes, currencies) = columns(wanted);
    let rows = sqlx::query!(
        r#"SELECT id, code AS "code!", currency FROM accounts
           WHERE (code, currency) IN (SELECT * FROM UNNEST($1::text[], $2::text[]))"#,
        &codes,
        &currencies,
    )
    .fetch_all(&mut **op)
    .await?;
    let read = rows.into_iter().map(|row| {
        let code = row.code.parse().map_err(|error| LedgerError::corrupt(&error))?;
        let currency = row.currency.parse().map_err(|error| LedgerError::corrupt(&error))?;
        Ok(((code, currency), row.id.into()))
    });
    read.collect()
}

async fn insert_platform_accounts_in_op(
    op: &mut Op,
    wanted: &[(PlatformAccount, Currency)],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    let (codes, currencies) = columns(wanted);
    let ids: Vec<Uuid> = wanted.iter().map(|_| AccountId::new().uuid()).collect();
    let kinds: Vec<String> = wanted.iter().map(|(account, _)| account.kind().to_owned()).collect();
    let overdraw: Vec<bool> = wanted.iter().map(|(account, _)| account.may_overdraw()).collect();
    sqlx::query!(
        "WITH opened AS (
             INSERT INTO accounts (id, kind, code, currency, may_overdraw, created_at)
             SELECT id, kind, code, currency, may_overdraw, $6
             FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[])
                  WITH ORDINALITY AS new (id, kind, code, currency, may_overdraw, place)
             ORDER BY place
             ON CONFLICT ON CONSTRAINT accounts_code_currency_key DO NOTHING
             RETURNING id, currency, may_overdraw
         )
         INSERT INTO balances (account_id, currency, may_overdraw, updated_at)
         SELECT id, currency, may_overdraw, $6 FROM opened",
        &ids,
        &kinds,
        &codes,
        &currencies,
        &overdraw,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

fn columns(wanted: &[(PlatformAccount, Currency)]) -> (Vec<String>, Vec<String>) {
    wanted.iter().map(|(account, currency)| (account.to_string(), currency.code().to_owned())).unzip()
}

/// The status of an account; None if there is none. Read after [`lock_in_op`], it stays as it is.
pub(in crate::ledger) async fn status_in_op(
    op: &mut Op,
    id: AccountId,
) -> Result<Option<AccountStatus>, LedgerError> {
    let status = sqlx::query_scalar!("SELECT status FROM accounts WHERE id = $1", id.uuid())
        .fetch_optional(&mut **op)
        .await?;
    status.map(|name| name.parse().map_err(|error| LedgerError::corrupt(&error))).transpose()
}

pub(in crate::ledger) async fn set_status_in_op(
    op: &mut Op,
    id: AccountId,
    status: AccountStatus,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE accounts SET status = $2 WHERE id = $1", id.uuid(), status.name())
        .execute(&mut **op)
        .await?;
    Ok(())
}
