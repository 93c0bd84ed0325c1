//! Accounts: opened, locked and read, frozen, bounded.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::money::Currency;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::ledger::{
    Account, AccountId, AccountStatus, Bounds, LedgerError, PlatformAccount, PlatformIds, Standing,
};

/// `query_accounts!(after, ids)`: the accounts of these ids, with what stands after the condition.
macro_rules! query_accounts {
    ($after:literal, $ids:expr) => {
        sqlx::query_as!(
            Row,
            r#"SELECT b.account_id AS "account_id!", w.user_id AS "user_id?", b.currency AS "currency!",
                      b.status AS "status!", b.may_overdraw AS "may_overdraw!", b.floor AS "floor!", b.ceiling,
                      b.intake_ceiling, b.posted AS "posted!", b.held AS "held!", b.entries AS "entries!",
                      b.updated_at AS "updated_at!"
               FROM balances b LEFT JOIN wallets w ON w.id = b.account_id
               WHERE b.account_id = ANY($1)"#
                + $after,
            $ids,
        )
    };
}

/// Locks the balances of these accounts until the transaction ends, in id order, and reads each as it is once it is
/// locked. Accounts that do not exist are left out.
///
/// Postgres reads a row anew that it had to wait for, so this one statement sees every earlier change of `balances`. Whose a
/// wallet is never changes.
pub(in crate::ledger) async fn lock_in_op(
    op: &mut Op,
    accounts: &[AccountId],
) -> Result<Vec<Account>, LedgerError> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    let rows = query_accounts!(" ORDER BY b.account_id FOR UPDATE OF b", &ids).fetch_all(&mut **op).await?;
    rows.into_iter().map(Account::try_from).collect()
}

/// The same, without a lock: they may have changed by the time this is answered.
pub(in crate::ledger) async fn read(
    connection: &mut PgConnection,
    accounts: &[AccountId],
) -> Result<Vec<Account>, LedgerError> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    let rows = query_accounts!("", &ids).fetch_all(connection).await?;
    rows.into_iter().map(Account::try_from).collect()
}

struct Row {
    account_id: Uuid,
    user_id: Option<Uuid>,
    currency: String,
    status: String,
    may_overdraw: bool,
    floor: i64,
    ceiling: Option<i64>,
    intake_ceiling: Option<i64>,
    posted: i64,
    held: i64,
    entries: i64,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for Account {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.account_id.into(),
            owner: row.user_id.map(Into::into),
            currency: row.currency.parse().map_err(|error| LedgerError::corrupt(&error))?,
            status: row.status.parse().map_err(|error| LedgerError::corrupt(&error))?,
            bounds: Bounds {
                floor: (!row.may_overdraw).then_some(row.floor),
                ceiling: row.ceiling,
                intake_ceiling: row.intake_ceiling,
            },
            standing: Standing {
                posted: row.posted,
                held: row.held,
                entries: row.entries,
                updated_at: row.updated_at,
            },
        })
    }
}

/// The account of a new wallet, at zero.
pub async fn open_customer_account_in_op(
    op: &mut Op,
    id: AccountId,
    currency: Currency,
    intake_ceiling: Option<i64>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH opened AS (
             INSERT INTO accounts (id, kind, currency, created_at) VALUES ($1, 'customer', $2, $4)
             RETURNING id, currency, may_overdraw
         )
         INSERT INTO balances (account_id, currency, may_overdraw, intake_ceiling, updated_at)
         SELECT id, currency, may_overdraw, $3, $4 FROM opened",
        id.uuid(),
        currency.code(),
        intake_ceiling,
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
    insert_platform_accounts_in_op(op, wanted, now).await?;
    platform_accounts_in_op(op, wanted).await
}

/// Those of them that were opened before.
pub(in crate::ledger) async fn platform_accounts_in_op(
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

/// After [`lock_in_op`].
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

/// After [`lock_in_op`].
pub(in crate::ledger) async fn set_bounds_in_op(
    op: &mut Op,
    id: AccountId,
    floor: i64,
    ceiling: Option<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE balances SET floor = $2, ceiling = $3 WHERE account_id = $1",
        id.uuid(),
        floor,
        ceiling
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Puts these intake ceilings in force, those of many accounts by one statement. Locks the balances that change, in id order.
pub async fn set_intake_ceilings_in_op(
    op: &mut Op,
    ceilings: &[(AccountId, Option<i64>)],
) -> sqlx::Result<()> {
    let (ids, ceilings): (Vec<Uuid>, Vec<Option<i64>>) =
        ceilings.iter().map(|(id, ceiling)| (id.uuid(), *ceiling)).unzip();
    sqlx::query!(
        "WITH locked AS (
             SELECT b.account_id, new.ceiling
             FROM UNNEST($1::uuid[], $2::bigint[]) AS new (account_id, ceiling)
             JOIN balances b USING (account_id)
             WHERE b.intake_ceiling IS DISTINCT FROM new.ceiling
             ORDER BY b.account_id FOR UPDATE OF b
         )
         UPDATE balances b SET intake_ceiling = locked.ceiling
         FROM locked WHERE b.account_id = locked.account_id",
        &ids,
        &ceilings as &[Option<i64>],
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
