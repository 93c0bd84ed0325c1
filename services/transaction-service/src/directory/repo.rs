//! The SQL of the directory.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    ids::{UserId, WalletId},
    money::Currency,
};
use uuid::Uuid;

use super::{Owned, Wallet};

struct Row {
    wallet_id: Uuid,
    user_id: Uuid,
    currency: String,
    created_at: DateTime<Utc>,
    owner_name: Option<String>,
}

impl TryFrom<Row> for Owned {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        let currency = row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let wallet = Wallet {
            id: WalletId::from(row.wallet_id),
            user: UserId::from(row.user_id),
            currency,
            created_at: row.created_at,
        };
        Ok(Self { wallet, owner_name: row.owner_name })
    }
}

/// Those of these wallets that are known, in any order.
pub(super) async fn wallets(pool: &PgPool, ids: &[WalletId]) -> sqlx::Result<Vec<Owned>> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT w.wallet_id AS "wallet_id!", w.user_id AS "user_id!", w.currency AS "currency!",
                  w.created_at AS "created_at!", u.display_name AS "owner_name?"
           FROM directory_wallets w LEFT JOIN directory_users u USING (user_id)
           WHERE w.wallet_id = ANY($1)"#,
        &ids,
    );
    rows.fetch_all(pool).await?.into_iter().map(Owned::try_from).collect()
}

/// The wallets that an account number leads to: one, unless two banks gave out the same number.
pub(super) async fn wallets_of_number(pool: &PgPool, hash: &[u8]) -> sqlx::Result<Vec<Owned>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT w.wallet_id, w.user_id, w.currency, w.created_at, u.display_name AS "owner_name?"
           FROM directory_account_numbers n
           JOIN directory_wallets w USING (wallet_id)
           LEFT JOIN directory_users u ON u.user_id = w.user_id
           WHERE n.number_hash = $1
           LIMIT 2"#,
        hash,
    );
    rows.fetch_all(pool).await?.into_iter().map(Owned::try_from).collect()
}

/// The oldest wallet in the currency of a person.
pub(super) async fn oldest_wallet(
    pool: &PgPool,
    user: UserId,
    currency: Currency,
) -> sqlx::Result<Option<Owned>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT w.wallet_id, w.user_id, w.currency, w.created_at, u.display_name AS "owner_name?"
           FROM directory_wallets w LEFT JOIN directory_users u USING (user_id)
           WHERE w.user_id = $1 AND w.currency = $2
           ORDER BY w.created_at, w.wallet_id LIMIT 1"#,
        user.uuid(),
        currency.code(),
    );
    row.fetch_optional(pool).await?.map(Owned::try_from).transpose()
}

/// Whose email address this is; the last one to have it, should it have passed on.
pub(super) async fn user_by_email(pool: &PgPool, hash: &[u8]) -> sqlx::Result<Option<UserId>> {
    let row = sqlx::query_scalar!(
        "SELECT user_id FROM directory_users WHERE email_hash = $1 ORDER BY changed_at DESC LIMIT 1",
        hash,
    );
    Ok(row.fetch_optional(pool).await?.map(UserId::from))
}

/// Whose phone number this is; the last one to have it, should it have passed on.
pub(super) async fn user_by_phone(pool: &PgPool, hash: &[u8]) -> sqlx::Result<Option<UserId>> {
    let row = sqlx::query_scalar!(
        "SELECT user_id FROM directory_users WHERE phone_hash = $1 ORDER BY changed_at DESC LIMIT 1",
        hash,
    );
    Ok(row.fetch_optional(pool).await?.map(UserId::from))
}

pub(super) async fn wallets_of(pool: &PgPool, user: UserId) -> sqlx::Result<Vec<WalletId>> {
    let ids = sqlx::query_scalar!("SELECT wallet_id FROM directory_wallets WHERE user_id = $1", user.uuid());
    Ok(ids.fetch_all(pool).await?.into_iter().map(WalletId::from).collect())
}

/// Notes wallets; what is known of one never changes.
pub(super) async fn remember_wallets<'e, E>(executor: E, wallets: &[Wallet]) -> sqlx::Result<()>
where
    E: sqlx::PgExecutor<'e>,
{
    let ids: Vec<Uuid> = wallets.iter().map(|wallet| wallet.id.uuid()).collect();
    let users: Vec<Uuid> = wallets.iter().map(|wallet| wallet.user.uuid()).collect();
    let currencies: Vec<String> = wallets.iter().map(|wallet| wallet.currency.code().to_owned()).collect();
    let times: Vec<DateTime<Utc>> = wallets.iter().map(|wallet| wallet.created_at).collect();
    sqlx::query!(
        "INSERT INTO directory_wallets (wallet_id, user_id, currency, created_at)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[]) AS new (wallet_id)
         ORDER BY new.wallet_id
         ON CONFLICT ON CONSTRAINT directory_wallets_pkey DO NOTHING",
        &ids,
        &users,
        &currencies,
        &times,
    )
    .execute(executor)
    .await?;
    Ok(())
}

pub(super) async fn remember_number_in_op(op: &mut Op, hash: &[u8], wallet: WalletId) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO directory_account_numbers (number_hash, wallet_id) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT directory_account_numbers_pkey DO NOTHING",
        hash,
        wallet.uuid(),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// A person as an event told.
#[derive(Debug)]
pub(super) struct NewUser {
    pub(super) id: UserId,
    pub(super) email_hash: Vec<u8>,
    pub(super) phone_hash: Vec<u8>,
    pub(super) display_name: String,
    pub(super) kyc_tier: i16,
    pub(super) status: String,
    pub(super) changed_at: DateTime<Utc>,
}

/// Writes the person, unless what is known is newer.
pub(super) async fn upsert_user_in_op(op: &mut Op, user: &NewUser) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO directory_users (user_id, email_hash, phone_hash, display_name, kyc_tier, status, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT ON CONSTRAINT directory_users_pkey DO UPDATE
         SET email_hash = EXCLUDED.email_hash, phone_hash = EXCLUDED.phone_hash,
             display_name = EXCLUDED.display_name, kyc_tier = EXCLUDED.kyc_tier,
             status = EXCLUDED.status, changed_at = EXCLUDED.changed_at
         WHERE directory_users.changed_at <= EXCLUDED.changed_at",
        user.id.uuid(),
        user.email_hash,
        user.phone_hash,
        user.display_name,
        user.kyc_tier,
        user.status,
        user.changed_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
