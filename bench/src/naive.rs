//! The naive way to post a transfer: a database transaction of its own, written by hand on the ledger's own tables. It
//! decides nothing but the balance, asks nobody whether the posting is known, and writes what the engine writes.
//!
//! Eight round trips: begin; lock and read both balances in id order; posting; two entries; one balance; the other;
//! two events; commit.

use anyhow::Context;
use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{Amount, EntrySnapshot, WalletCredited, WalletDebited},
    outbox,
};
use common_utils::{
    clock::SharedClock,
    ids::{self, TransactionId, WalletId},
    money::{Currency, Money},
};
use sqlx::Row;
use uuid::Uuid;

const SOURCE: &str = "wallet-service";
const DESCRIPTION: &str = "Lunch";

/// A balance as it was read under its lock.
#[derive(Debug, Clone, Copy)]
struct Balance {
    account: Uuid,
    owner: Uuid,
    posted: i64,
    entries: i64,
    updated_at: DateTime<Utc>,
}

pub(crate) async fn transfer(
    pool: &PgPool,
    clock: &SharedClock,
    from: WalletId,
    to: WalletId,
    amount: i64,
) -> anyhow::Result<()> {
    let mut op = common_db::begin(pool).await?;
    let locked = lock_in_op(&mut op, from.uuid(), to.uuid()).await?;
    let find = |wallet: WalletId| locked.iter().find(|balance| balance.account == wallet.uuid()).copied();
    let (from, to) = find(from).zip(find(to)).context("both wallets exist")?;
    anyhow::ensure!(from.posted >= amount, "funds are spent");
    let now = clock.now().max(from.updated_at).max(to.updated_at);
    let (from, to) = (moved(from, -amount, now), moved(to, amount, now));
    let posting = TransactionId::new().uuid();
    sqlx::query("INSERT INTO postings (id, content_hash, type, outcome, posted_at) VALUES ($1, $2, 'transfer', 'posted', $3)")
        .bind(posting)
        .bind([7_u8; 32].as_slice())
        .bind(now)
        .execute(&mut *op)
        .await?;
    let entry_ids = [ids::new_id(), ids::new_id()];
    insert_entries_in_op(&mut op, posting, entry_ids, [from, to], amount).await?;
    for balance in [from, to] {
        sqlx::query("UPDATE balances SET posted = $2, entries = $3, updated_at = $4 WHERE account_id = $1")
            .bind(balance.account)
            .bind(balance.posted)
            .bind(balance.entries)
            .bind(balance.updated_at)
            .execute(&mut *op)
            .await?;
    }
    outbox::publish_in_op(&mut op, &events(posting, entry_ids, [from, to], amount)?).await?;
    op.commit().await?;
    Ok(())
}

async fn lock_in_op(op: &mut Op, one: Uuid, other: Uuid) -> anyhow::Result<Vec<Balance>> {
    let rows = sqlx::query(
        "SELECT b.account_id, w.user_id, b.posted, b.entries, b.updated_at
         FROM balances b JOIN wallets w ON w.id = b.account_id
         WHERE b.account_id IN ($1, $2) ORDER BY b.account_id FOR UPDATE OF b",
    )
    .bind(one)
    .bind(other)
    .fetch_all(&mut **op)
    .await?;
    let read = rows.iter().map(|row| {
        Ok(Balance {
            account: row.try_get(0)?,
            owner: row.try_get(1)?,
            posted: row.try_get(2)?,
            entries: row.try_get(3)?,
            updated_at: row.try_get(4)?,
        })
    });
    read.collect()
}

fn moved(balance: Balance, by: i64, now: DateTime<Utc>) -> Balance {
    Balance { posted: balance.posted + by, entries: balance.entries + 1, updated_at: now, ..balance }
}

async fn insert_entries_in_op(
    op: &mut Op,
    posting: Uuid,
    ids: [Uuid; 2],
    [from, to]: [Balance; 2],
    amount: i64,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO entries (account_id, sequence, id, posting_id, direction, amount, balance_after,
                              description, posted_at)
         VALUES ($1, $2, $3, $4, 'debit', $5, $6, $7, $8), ($9, $10, $11, $4, 'credit', $5, $12, $7, $8)",
    )
    .bind(from.account)
    .bind(from.entries)
    .bind(ids[0])
    .bind(posting)
    .bind(amount)
    .bind(from.posted)
    .bind(DESCRIPTION)
    .bind(from.updated_at)
    .bind(to.account)
    .bind(to.entries)
    .bind(ids[1])
    .bind(to.posted)
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The same events as the engine's.
fn events(
    posting: Uuid,
    ids: [Uuid; 2],
    [from, to]: [Balance; 2],
    amount: i64,
) -> anyhow::Result<[NewEvent; 2]> {
    let context = EventContext::new(SOURCE, Actor::service(SOURCE), from.updated_at);
    let snapshot = |balance: Balance, entry_id: Uuid| EntrySnapshot {
        wallet_id: balance.account,
        user_id: balance.owner,
        entry_id,
        sequence: balance.entries,
        transaction_id: posting,
        transaction_type: "transfer".to_owned(),
        amount: Amount::from(Money::new(amount, Currency::NGN)),
        balance_after: balance.posted,
        description: DESCRIPTION.to_owned(),
        provider_reference: None,
        counterparty_name: None,
        posted_at: balance.updated_at,
    };
    Ok([
        NewEvent::new(&context, &WalletDebited(snapshot(from, ids[0])))?,
        NewEvent::new(&context, &WalletCredited(snapshot(to, ids[1])))?,
    ])
}
