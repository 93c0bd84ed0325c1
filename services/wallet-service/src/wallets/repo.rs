//! All SQL of wallets.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    http::paging::Limit,
    ids::{UserId, WalletId},
};
use uuid::Uuid;

use super::entity::{AccountNumber, NewWallet, Wallet, WalletName};
use crate::ledger::{Bounds, LedgerError};

struct Row {
    id: Uuid,
    user_id: Uuid,
    currency: String,
    name: Option<String>,
    is_default: bool,
    created_at: DateTime<Utc>,
    status: String,
    posted: i64,
    held: i64,
    floor: i64,
    ceiling: Option<i64>,
    intake_ceiling: Option<i64>,
    account_number: Option<String>,
    account_name: Option<String>,
    bank_name: Option<String>,
    bank_code: Option<String>,
    provider: Option<String>,
}

impl TryFrom<Row> for Wallet {
    type Error = LedgerError;

    fn try_from(row: Row) -> Result<Self, LedgerError> {
        Ok(Self {
            id: row.id.into(),
            user_id: row.user_id.into(),
            currency: row.currency.parse().map_err(|error| LedgerError::corrupt(&error))?,
            status: row.status.parse().map_err(|error| LedgerError::corrupt(&error))?,
            account_numbers: number(&row).into_iter().collect(),
            name: row.name.map(WalletName::kept),
            is_default: row.is_default,
            created_at: row.created_at,
            posted: row.posted,
            held: row.held,
            // No wallet may fall without end.
            bounds: Bounds {
                floor: Some(row.floor),
                ceiling: row.ceiling,
                intake_ceiling: row.intake_ceiling,
            },
        })
    }
}

/// The schema keeps them together: a virtual account that is active has all of them.
fn number(row: &Row) -> Option<AccountNumber> {
    Some(AccountNumber {
        number: row.account_number.clone()?,
        name: row.account_name.clone()?,
        bank_name: row.bank_name.clone()?,
        bank_code: row.bank_code.clone()?,
        provider: row.provider.clone()?,
    })
}

/// These wallets, newest first, each with its balance and its number.
pub(super) async fn by_ids(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Wallet>, LedgerError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT w.id, w.user_id, w.currency, w.name, w.is_default, w.created_at, a.status, b.posted, b.held,
                  b.floor, b.ceiling, b.intake_ceiling, v.account_number AS "account_number?",
                  v.account_name AS "account_name?", v.bank_name AS "bank_name?", v.bank_code AS "bank_code?", v.provider AS "provider?"
           FROM wallets w
           JOIN accounts a ON a.id = w.id
           JOIN balances b ON b.account_id = w.id
           LEFT JOIN virtual_accounts v ON v.wallet_id = w.id AND v.status = 'active'
           WHERE w.id = ANY($1)
           ORDER BY w.id DESC"#,
        ids,
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(Wallet::try_from).collect()
}

/// A person's wallets, newest first, from the one behind `after` on.
pub(super) async fn page_of_user(
    pool: &PgPool,
    user: UserId,
    after: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT id FROM wallets WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        user.uuid(),
        after.unwrap_or(Uuid::max()),
        limit.rows(),
    )
    .fetch_all(pool)
    .await
}

/// There are never more than a person may have.
pub(super) async fn ids_of_user(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM wallets WHERE user_id = $1", user.uuid()).fetch_all(pool).await
}

/// The wallets that an account number leads to: one, unless two banks gave out the same.
pub(super) async fn ids_of_account_number(pool: &PgPool, number: &str) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT wallet_id FROM virtual_accounts WHERE account_number = $1 AND status = 'active' LIMIT 10",
        number,
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn default_in_op(op: &mut Op, user: UserId) -> sqlx::Result<Option<WalletId>> {
    let id = sqlx::query_scalar!("SELECT id FROM wallets WHERE user_id = $1 AND is_default", user.uuid())
        .fetch_optional(&mut **op)
        .await?;
    Ok(id.map(WalletId::from))
}

/// The last place that is taken; 0, that of the default wallet, is always spoken for.
pub(super) async fn last_place_in_op(op: &mut Op, user: UserId) -> sqlx::Result<i16> {
    sqlx::query_scalar!(
        r#"SELECT COALESCE(max(place), 0::smallint) AS "place!" FROM wallets WHERE user_id = $1"#,
        user.uuid(),
    )
    .fetch_one(&mut **op)
    .await
}

/// The wallet's account must be there.
pub(super) async fn insert_in_op(op: &mut Op, wallet: &NewWallet) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO wallets (id, user_id, currency, name, place, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        wallet.id.uuid(),
        wallet.user_id.uuid(),
        wallet.currency.code(),
        wallet.name.as_ref().map(WalletName::as_str),
        wallet.place.number(),
        wallet.created_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
