//! What a list of postings reads and writes: one statement each, whatever its length.

use std::collections::HashMap;

use common_db::Op;
use common_events::outbox;
use common_utils::ids::{self, TransactionId};
use uuid::Uuid;

use crate::ledger::{
    Account, AccountId, Book, LedgerError, Outcome, Posting, Refusal, Standing,
    batch::{Decided, Known},
    events,
    rules::NewEntry,
};

/// Which of the postings were decided before, and how.
pub(in crate::ledger) async fn known_in_op(
    op: &mut Op,
    postings: &[Posting],
) -> Result<HashMap<TransactionId, Known>, LedgerError> {
    let ids: Vec<Uuid> = postings.iter().map(|posting| posting.id().uuid()).collect();
    let rows =
        sqlx::query!("SELECT id, content_hash, refusal, posted_at FROM postings WHERE id = ANY($1)", &ids,)
            .fetch_all(&mut **op)
            .await?;
    let read = rows.into_iter().map(|row| {
        let refusal = row.refusal.map(serde_json::from_value::<Refusal>).transpose();
        let outcome =
            refusal.map_err(|error| LedgerError::corrupt(&error))?.map_or(Outcome::Posted, Outcome::Refused);
        Ok((row.id.into(), Known { content_hash: row.content_hash, outcome, posted_at: row.posted_at }))
    });
    read.collect()
}

/// The accounts as they stand. Those that do not exist are left out.
pub(in crate::ledger) async fn accounts_in_op(
    op: &mut Op,
    accounts: &[AccountId],
) -> Result<Vec<Account>, LedgerError> {
    let ids: Vec<Uuid> = accounts.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query!(
        r#"SELECT a.id, w.user_id AS "user_id?", a.currency, a.status, a.may_overdraw,
                  b.posted, b.held, b.entries, b.updated_at
           FROM accounts a
           JOIN balances b ON b.account_id = a.id
           LEFT JOIN wallets w ON w.id = a.id
           WHERE a.id = ANY($1)"#,
        &ids,
    )
    .fetch_all(&mut **op)
    .await?;
    let read = rows.into_iter().map(|row| {
        Ok(Account {
            id: row.id.into(),
            owner: row.user_id.map(Into::into),
            currency: row.currency.parse().map_err(|error| LedgerError::corrupt(&error))?,
            status: row.status.parse().map_err(|error| LedgerError::corrupt(&error))?,
            may_overdraw: row.may_overdraw,
            standing: Standing {
                posted: row.posted,
                held: row.held,
                entries: row.entries,
                updated_at: row.updated_at,
            },
        })
    });
    read.collect()
}

/// Writes what was decided; `book` is the state after it.
pub(in crate::ledger) async fn write_in_op(
    op: &mut Op,
    book: &Book,
    decided: &[Decided<'_>],
) -> Result<(), LedgerError> {
    if decided.is_empty() {
        return Ok(());
    }
    insert_postings_in_op(op, decided).await?;
    let entries: Vec<(&Decided<'_>, &NewEntry, Uuid)> = decided
        .iter()
        .flat_map(|decided| decided.entries.iter().map(move |entry| (decided, entry, ids::new_id())))
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    insert_entries_in_op(op, &entries).await?;
    update_balances_in_op(op, book, &entries).await?;
    outbox::publish_in_op(op, &events::of(book, entries.iter().copied())?).await?;
    Ok(())
}

/// In id order: of two lists with the same new ids, one waits at the first of them, and neither in a circle.
async fn insert_postings_in_op(op: &mut Op, decided: &[Decided<'_>]) -> Result<(), LedgerError> {
    let mut sorted: Vec<&Decided<'_>> = decided.iter().collect();
    sorted.sort_by_key(|decided| decided.posting.id());
    let ids: Vec<Uuid> = sorted.iter().map(|decided| decided.posting.id().uuid()).collect();
    let hashes: Vec<Vec<u8>> = sorted.iter().map(|decided| decided.posting.content_hash().to_vec()).collect();
    let kinds: Vec<String> = sorted.iter().map(|decided| decided.posting.kind().name().to_owned()).collect();
    let outcomes: Vec<String> = sorted.iter().map(|decided| decided.outcome.name().to_owned()).collect();
    let refusals: Vec<Option<serde_json::Value>> = sorted
        .iter()
        .map(|decided| decided.outcome.refusal().map(serde_json::to_value).transpose())
        .collect::<Result<_, _>>()
        .map_err(|error| LedgerError::corrupt(&error))?;
    let times: Vec<_> = sorted.iter().map(|decided| decided.at).collect();
    sqlx::query!(
        "INSERT INTO postings (id, content_hash, type, outcome, refusal, posted_at)
         SELECT id, content_hash, type, outcome, refusal, posted_at
         FROM UNNEST($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[])
              WITH ORDINALITY AS new (id, content_hash, type, outcome, refusal, posted_at, place)
         ORDER BY place",
        &ids,
        &hashes,
        &kinds,
        &outcomes,
        &refusals as &[Option<serde_json::Value>],
        &times,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

async fn insert_entries_in_op(
    op: &mut Op,
    entries: &[(&Decided<'_>, &NewEntry, Uuid)],
) -> Result<(), LedgerError> {
    let accounts: Vec<Uuid> = entries.iter().map(|(_, entry, _)| entry.account.uuid()).collect();
    let sequences: Vec<i64> = entries.iter().map(|(_, entry, _)| entry.sequence).collect();
    let ids: Vec<Uuid> = entries.iter().map(|(_, _, id)| *id).collect();
    let postings: Vec<Uuid> = entries.iter().map(|(decided, ..)| decided.posting.id().uuid()).collect();
    let directions: Vec<String> =
        entries.iter().map(|(_, entry, _)| entry.direction.name().to_owned()).collect();
    let amounts: Vec<i64> = entries.iter().map(|(_, entry, _)| entry.amount).collect();
    let after: Vec<i64> = entries.iter().map(|(_, entry, _)| entry.balance_after).collect();
    let texts: Vec<String> =
        entries.iter().map(|(decided, ..)| decided.posting.description().to_owned()).collect();
    let times: Vec<_> = entries.iter().map(|(decided, ..)| decided.at).collect();
    sqlx::query!(
        "INSERT INTO entries (account_id, sequence, id, posting_id, direction, amount, balance_after,
                              description, posted_at)
         SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[],
                              $7::bigint[], $8::text[], $9::timestamptz[])",
        &accounts,
        &sequences,
        &ids,
        &postings,
        &directions,
        &amounts,
        &after,
        &texts,
        &times,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Brings each touched balance to where its last entry left it.
async fn update_balances_in_op(
    op: &mut Op,
    book: &Book,
    entries: &[(&Decided<'_>, &NewEntry, Uuid)],
) -> Result<(), LedgerError> {
    let last: HashMap<AccountId, Standing> = entries
        .iter()
        .filter_map(|(_, entry, _)| book.account(entry.account).map(|account| (account.id, account.standing)))
        .collect();
    let accounts: Vec<Uuid> = last.keys().map(|id| id.uuid()).collect();
    let posted: Vec<i64> = last.values().map(|standing| standing.posted).collect();
    let counts: Vec<i64> = last.values().map(|standing| standing.entries).collect();
    let times: Vec<_> = last.values().map(|standing| standing.updated_at).collect();
    sqlx::query!(
        "UPDATE balances b SET posted = new.posted, entries = new.entries, updated_at = new.updated_at
         FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[])
              AS new (account_id, posted, entries, updated_at)
         WHERE b.account_id = new.account_id",
        &accounts,
        &posted,
        &counts,
        &times,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
