//! What events write. An older event changes nothing, so they may come in any order and more than once. Tables are named without
//! a schema: a rebuild writes into others of the same names.

use std::collections::BTreeMap;

use common_db::Op;
use common_events::contracts::{
    EntrySnapshot, TransactionSnapshot, UserSnapshot, VirtualAccountSnapshot, WalletSnapshot,
};
use uuid::Uuid;

use super::super::entity::{self, Version};

/// One array a column.
macro_rules! column {
    ($rows:expr, $row:pat => $value:expr) => {
        &$rows.map(|$row| $value).collect::<Vec<_>>()
    };
}

pub(in super::super) async fn keep_users_in_op(
    op: &mut Op,
    users: &BTreeMap<Uuid, (Version, UserSnapshot)>,
) -> sqlx::Result<()> {
    if users.is_empty() {
        return Ok(());
    }
    let rows = || users.values();
    sqlx::query!(
        "INSERT INTO support_users (user_id, email_masked, phone_masked, first_name, last_name, kyc_tier, roles, status,
                                    created_at, as_of, event_id)
         SELECT new.user_id, new.email, new.phone, new.first_name, new.last_name, new.kyc_tier,
                string_to_array(new.roles, ','), new.status, new.created_at, new.as_of, new.event_id
         FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::timestamptz[], $11::uuid[])
              AS new (user_id, email, phone, first_name, last_name, kyc_tier, roles, status, created_at, as_of, event_id)
         ORDER BY new.user_id
         ON CONFLICT ON CONSTRAINT support_users_pkey DO UPDATE
         SET email_masked = EXCLUDED.email_masked, phone_masked = EXCLUDED.phone_masked, first_name = EXCLUDED.first_name,
             last_name = EXCLUDED.last_name, kyc_tier = EXCLUDED.kyc_tier, roles = EXCLUDED.roles, status = EXCLUDED.status,
             created_at = EXCLUDED.created_at, as_of = EXCLUDED.as_of, event_id = EXCLUDED.event_id
         WHERE (support_users.as_of, support_users.event_id) < (EXCLUDED.as_of, EXCLUDED.event_id)",
        column!(rows(), (_, user) => user.user_id),
        column!(rows(), (_, user) => entity::masked_email(&user.email)),
        column!(rows(), (_, user) => entity::masked_phone(&user.phone_number)),
        column!(rows(), (_, user) => user.first_name.as_str()) as _,
        column!(rows(), (_, user) => user.last_name.as_str()) as _,
        column!(rows(), (_, user) => user.kyc_tier),
        column!(rows(), (_, user) => user.roles.join(",")),
        column!(rows(), (_, user) => user.status.as_str()) as _,
        column!(rows(), (_, user) => user.created_at),
        column!(rows(), (version, _) => version.as_of),
        column!(rows(), (version, _) => version.event),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(in super::super) async fn keep_wallets_in_op(
    op: &mut Op,
    wallets: &BTreeMap<Uuid, (Version, WalletSnapshot)>,
) -> sqlx::Result<()> {
    if wallets.is_empty() {
        return Ok(());
    }
    let rows = || wallets.values();
    sqlx::query!(
        "INSERT INTO support_wallets (wallet_id, user_id, currency, name, status, frozen, reason, created_at, as_of, event_id)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::timestamptz[], $9::timestamptz[], $10::uuid[]) AS new (wallet_id)
         ORDER BY new.wallet_id
         ON CONFLICT ON CONSTRAINT support_wallets_pkey DO UPDATE
         SET user_id = EXCLUDED.user_id, currency = EXCLUDED.currency, name = EXCLUDED.name, status = EXCLUDED.status,
             frozen = EXCLUDED.frozen, reason = EXCLUDED.reason, created_at = EXCLUDED.created_at, as_of = EXCLUDED.as_of,
             event_id = EXCLUDED.event_id
         WHERE (support_wallets.as_of, support_wallets.event_id) < (EXCLUDED.as_of, EXCLUDED.event_id)",
        column!(rows(), (_, wallet) => wallet.wallet_id),
        column!(rows(), (_, wallet) => wallet.user_id),
        column!(rows(), (_, wallet) => wallet.currency.as_str()) as _,
        column!(rows(), (_, wallet) => wallet.name.as_deref()) as _,
        column!(rows(), (_, wallet) => wallet.status.as_str()) as _,
        column!(rows(), (_, wallet) => wallet.freeze.as_deref()) as _,
        column!(rows(), (_, wallet) => wallet.reason.as_deref()) as _,
        column!(rows(), (_, wallet) => wallet.created_at),
        column!(rows(), (version, _) => version.as_of),
        column!(rows(), (version, _) => version.event),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(in super::super) async fn keep_balances_in_op(
    op: &mut Op,
    entries: &BTreeMap<Uuid, (i64, EntrySnapshot)>,
) -> sqlx::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let rows = || entries.values();
    sqlx::query!(
        "INSERT INTO support_balances (wallet_id, posted, sequence, as_of)
         SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS new (wallet_id)
         ORDER BY new.wallet_id
         ON CONFLICT ON CONSTRAINT support_balances_pkey DO UPDATE
         SET posted = EXCLUDED.posted, sequence = EXCLUDED.sequence, as_of = EXCLUDED.as_of
         WHERE support_balances.sequence < EXCLUDED.sequence",
        column!(rows(), (_, entry) => entry.wallet_id),
        column!(rows(), (_, entry) => entry.balance_after),
        column!(rows(), (_, entry) => entry.sequence),
        column!(rows(), (_, entry) => entry.posted_at),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(in super::super) async fn keep_accounts_in_op(
    op: &mut Op,
    accounts: &[VirtualAccountSnapshot],
) -> sqlx::Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    let rows = || accounts.iter();
    sqlx::query!(
        "INSERT INTO support_accounts (wallet_id, bank_code, account_number_masked, issued_at, account_name, bank_name, provider)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::text[], $7::text[])
         ON CONFLICT ON CONSTRAINT support_accounts_pkey DO NOTHING",
        column!(rows(), account => account.wallet_id),
        column!(rows(), account => account.bank_code.as_str()) as _,
        column!(rows(), account => entity::masked_account(&account.account_number)),
        column!(rows(), account => account.issued_at),
        column!(rows(), account => account.account_name.as_str()) as _,
        column!(rows(), account => account.bank_name.as_str()) as _,
        column!(rows(), account => account.provider.as_str()) as _,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(in super::super) async fn keep_transactions_in_op(
    op: &mut Op,
    transactions: &BTreeMap<Uuid, ((i16, Version), TransactionSnapshot)>,
) -> sqlx::Result<()> {
    if transactions.is_empty() {
        return Ok(());
    }
    let rows = || transactions.values();
    sqlx::query!(
        "INSERT INTO support_transactions (transaction_id, type, status, amount, currency, fee, fee_currency, from_wallet_id,
                                           to_wallet_id, from_user_id, to_user_id, reference, failure, created_at, completed_at,
                                           progress, as_of, event_id)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::text[],
                              $8::uuid[], $9::uuid[], $10::uuid[], $11::uuid[], $12::text[], $13::text[], $14::timestamptz[],
                              $15::timestamptz[], $16::smallint[], $17::timestamptz[], $18::uuid[]) AS new (transaction_id)
         ORDER BY new.transaction_id
         ON CONFLICT ON CONSTRAINT support_transactions_pkey DO UPDATE
         SET type = EXCLUDED.type, status = EXCLUDED.status, amount = EXCLUDED.amount, currency = EXCLUDED.currency,
             fee = EXCLUDED.fee, fee_currency = EXCLUDED.fee_currency, from_wallet_id = EXCLUDED.from_wallet_id,
             to_wallet_id = EXCLUDED.to_wallet_id, from_user_id = EXCLUDED.from_user_id, to_user_id = EXCLUDED.to_user_id,
             reference = EXCLUDED.reference, failure = EXCLUDED.failure, created_at = EXCLUDED.created_at,
             completed_at = EXCLUDED.completed_at, progress = EXCLUDED.progress, as_of = EXCLUDED.as_of,
             event_id = EXCLUDED.event_id
         WHERE (support_transactions.progress, support_transactions.as_of, support_transactions.event_id)
             < (EXCLUDED.progress, EXCLUDED.as_of, EXCLUDED.event_id)",
        column!(rows(), (_, row) => row.transaction_id),
        column!(rows(), (_, row) => row.kind.as_str()) as _,
        column!(rows(), (_, row) => row.status.as_str()) as _,
        column!(rows(), (_, row) => row.amount.amount),
        column!(rows(), (_, row) => row.amount.currency.code()) as _,
        column!(rows(), (_, row) => row.fee.amount),
        column!(rows(), (_, row) => row.fee.currency.code()) as _,
        column!(rows(), (_, row) => row.from_wallet_id) as _,
        column!(rows(), (_, row) => row.to_wallet_id) as _,
        column!(rows(), (_, row) => row.from_user_id) as _,
        column!(rows(), (_, row) => row.to_user_id) as _,
        column!(rows(), (_, row) => row.reference.as_str()) as _,
        column!(rows(), (_, row) => row.failure.as_deref()) as _,
        column!(rows(), (_, row) => row.created_at),
        column!(rows(), (_, row) => row.completed_at) as _,
        column!(rows(), ((progress, _), _) => *progress),
        column!(rows(), ((_, version), _) => version.as_of),
        column!(rows(), ((_, version), _) => version.event),
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Entries without a name are left alone.
pub(in super::super) async fn keep_counterparties_in_op(
    op: &mut Op,
    entries: &[EntrySnapshot],
) -> sqlx::Result<()> {
    let named = entries.iter().filter_map(|entry| Some((entry, entry.counterparty_name.as_deref()?)));
    let named: Vec<(&EntrySnapshot, &str)> = named.collect();
    if named.is_empty() {
        return Ok(());
    }
    let rows = || named.iter();
    sqlx::query!(
        "INSERT INTO support_counterparties (transaction_id, entry_id, name)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::text[])
         ON CONFLICT ON CONSTRAINT support_counterparties_pkey DO NOTHING",
        column!(rows(), (entry, _) => entry.transaction_id),
        column!(rows(), (entry, _) => entry.entry_id),
        column!(rows(), (_, name) => *name) as _,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
