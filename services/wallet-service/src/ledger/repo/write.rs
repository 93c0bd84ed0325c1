//! What a list of postings writes: one statement a table, whatever the list's length.

use common_db::Op;
use common_events::outbox;
use common_utils::ids::{self, TransactionId};
use uuid::Uuid;

use crate::ledger::{
    Account, Action, LedgerError,
    batch::{Decided, takes_back},
    book::Book,
    events,
    hold::Hold,
    rules::NewEntry,
};

/// An entry, the posting that it is of, and the id that it is written under.
type Entries<'a> = Vec<(&'a Decided<'a>, &'a NewEntry, Uuid)>;

/// Writes what was decided; `book` is the state after it.
pub(in crate::ledger) async fn write_in_op(
    op: &mut Op,
    book: &Book,
    decided: &[Decided<'_>],
) -> Result<(), LedgerError> {
    let entries: Entries<'_> = decided
        .iter()
        .flat_map(|decided| decided.entries.iter().map(move |entry| (decided, entry, ids::new_id())))
        .collect();
    // Postings name holds, entries name postings.
    upsert_holds_in_op(op, book).await?;
    insert_postings_in_op(op, decided).await?;
    insert_entries_in_op(op, &entries).await?;
    update_balances_in_op(op, book).await?;
    upsert_returns_in_op(op, book).await?;
    outbox::publish_in_op(op, &events::of(book, entries.iter().copied())?).await?;
    Ok(())
}

/// A final one that is in the way is somebody else's, placed under the same id since we looked: none of ours changes once it is
/// final. One that is still open would be overwritten, and then the key of `postings` undoes all of this.
async fn upsert_holds_in_op(op: &mut Op, book: &Book) -> Result<(), LedgerError> {
    let holds: Vec<&Hold> = book.changed().holds.iter().filter_map(|id| book.hold(*id)).collect();
    if holds.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = holds.iter().map(|hold| hold.id.uuid()).collect();
    let accounts: Vec<Uuid> = holds.iter().map(|hold| hold.account.uuid()).collect();
    let amounts: Vec<i64> = holds.iter().map(|hold| hold.amount).collect();
    let captured: Vec<i64> = holds.iter().map(|hold| hold.captured).collect();
    let statuses: Vec<String> = holds.iter().map(|hold| hold.status.name().to_owned()).collect();
    let expiries: Vec<_> = holds.iter().map(|hold| hold.expires_at).collect();
    let created: Vec<_> = holds.iter().map(|hold| hold.created_at).collect();
    let closed: Vec<_> = holds.iter().map(|hold| hold.closed_at).collect();
    let written = sqlx::query!(
        "INSERT INTO holds (id, account_id, amount, captured, status, expires_at, created_at, closed_at)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[], $5::text[],
                              $6::timestamptz[], $7::timestamptz[], $8::timestamptz[])
         ON CONFLICT ON CONSTRAINT holds_pkey DO UPDATE
         SET captured = excluded.captured, status = excluded.status, closed_at = excluded.closed_at
         WHERE holds.status = 'held'",
        &ids,
        &accounts,
        &amounts,
        &captured,
        &statuses,
        &expiries,
        &created,
        &closed as &[Option<chrono::DateTime<chrono::Utc>>],
    )
    .execute(&mut **op)
    .await?;
    let all = u64::try_from(holds.len()).is_ok_and(|count| count == written.rows_affected());
    if all { Ok(()) } else { Err(LedgerError::Raced) }
}

/// In id order: of two lists with the same new ids, one waits at the first of them, and neither in a circle.
async fn insert_postings_in_op(op: &mut Op, decided: &[Decided<'_>]) -> Result<(), LedgerError> {
    if decided.is_empty() {
        return Ok(());
    }
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
    let holds: Vec<Option<Uuid>> = sorted.iter().map(|decided| hold_of(decided)).collect();
    let taken_back: Vec<Option<Uuid>> = sorted.iter().map(|decided| taken_back_by(decided)).collect();
    let groups: Vec<Option<Uuid>> = sorted.iter().map(|decided| decided.posting.group()).collect();
    sqlx::query!(
        "INSERT INTO postings (id, content_hash, type, outcome, refusal, posted_at, hold_id, takes_back, group_id)
         SELECT id, content_hash, type, outcome, refusal, posted_at, hold_id, takes_back, group_id
         FROM UNNEST($1::uuid[], $2::bytea[], $3::text[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::uuid[],
                     $8::uuid[], $9::uuid[])
              WITH ORDINALITY
              AS new (id, content_hash, type, outcome, refusal, posted_at, hold_id, takes_back, group_id, place)
         ORDER BY place",
        &ids,
        &hashes,
        &kinds,
        &outcomes,
        &refusals as &[Option<serde_json::Value>],
        &times,
        &holds as &[Option<Uuid>],
        &taken_back as &[Option<Uuid>],
        &groups as &[Option<Uuid>],
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// The hold that a posting has captured or released.
fn hold_of(decided: &Decided<'_>) -> Option<Uuid> {
    match decided.posting.action() {
        Action::Capture { hold, .. } | Action::Release { hold } if decided.is_posted() => Some(hold.uuid()),
        _ => None,
    }
}

fn taken_back_by(decided: &Decided<'_>) -> Option<Uuid> {
    takes_back(decided.posting.action()).filter(|_| decided.is_posted()).map(TransactionId::uuid)
}

async fn insert_entries_in_op(op: &mut Op, entries: &Entries<'_>) -> sqlx::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
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

async fn update_balances_in_op(op: &mut Op, book: &Book) -> sqlx::Result<()> {
    let changed: Vec<&Account> = book.changed().accounts.iter().filter_map(|id| book.account(*id)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let accounts: Vec<Uuid> = changed.iter().map(|account| account.id.uuid()).collect();
    let posted: Vec<i64> = changed.iter().map(|account| account.standing.posted).collect();
    let held: Vec<i64> = changed.iter().map(|account| account.standing.held).collect();
    let counts: Vec<i64> = changed.iter().map(|account| account.standing.entries).collect();
    let times: Vec<_> = changed.iter().map(|account| account.standing.updated_at).collect();
    sqlx::query!(
        "UPDATE balances b
         SET posted = new.posted, held = new.held, entries = new.entries, updated_at = new.updated_at
         FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
              AS new (account_id, posted, held, entries, updated_at)
         WHERE b.account_id = new.account_id",
        &accounts,
        &posted,
        &held,
        &counts,
        &times,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Writes sums over what was read, which is right because every return of a posting locks its payers' balances first. The
/// CHECK stands behind it: it refuses a sum that is more than was taken.
async fn upsert_returns_in_op(op: &mut Op, book: &Book) -> Result<(), LedgerError> {
    let (mut postings, mut accounts, mut taken, mut returned) = (vec![], vec![], vec![], vec![]);
    for id in &book.changed().returned {
        let Some(earlier) = book.earlier(*id) else { continue };
        let took = earlier.taken();
        for (account, back) in &earlier.returned {
            postings.push(id.uuid());
            accounts.push(account.uuid());
            taken.push(i64::try_from(took.get(account).copied().unwrap_or_default()).unwrap_or(i64::MAX));
            returned.push(*back);
        }
    }
    if postings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO posting_returns (posting_id, account_id, taken, returned)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
         ON CONFLICT ON CONSTRAINT posting_returns_pkey DO UPDATE SET returned = excluded.returned",
        &postings,
        &accounts,
        &taken,
        &returned,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
