//! What a list of postings writes. Postings, entries, balances and events are one statement, whatever the list's length:
//! a round trip costs as much as a dozen postings.

use common_db::Op;
use common_events::outbox;
use common_utils::ids;
use sqlx::PgConnection;
use uuid::Uuid;

use super::columns::{self, BalanceColumns, EntryColumns, PostingColumns};
use crate::ledger::{LedgerError, batch::Decided, book::Book, events, hold::Hold};

/// Writes what was decided; `book` is the state after it.
pub(in crate::ledger) async fn write_in_op(
    op: &mut Op,
    book: &Book,
    decided: &[Decided<'_>],
) -> Result<(), LedgerError> {
    let entries = columns::entries(decided, ids::new_id);
    let events = events::of(book, decided, &entries)?;
    let mut rows = outbox::Row::all(&events).into_iter();
    // Postings name holds.
    upsert_holds_in_op(op, book).await?;
    write(op, book, decided, &entries, &rows.next().unwrap_or_default()).await?;
    upsert_returns_in_op(op, book).await?;
    for row in rows {
        row.insert_in_op(op).await?;
    }
    outbox::soon(&events);
    Ok(())
}

/// The same without a transaction around it, for what changes neither holds nor returns and makes no more events than one
/// row takes.
pub(in crate::ledger) async fn write_at_once(
    connection: &mut PgConnection,
    book: &Book,
    decided: &[Decided<'_>],
) -> Result<(), LedgerError> {
    let entries = columns::entries(decided, ids::new_id);
    let events = events::of(book, decided, &entries)?;
    write(connection, book, decided, &entries, &outbox::Row::of(&events)).await?;
    outbox::soon(&events);
    Ok(())
}

/// Balances are written only over what the book was made of. With their rows locked nothing else can be there; without, this
/// is what keeps a batch from being written over somebody else's. Of the parts that nobody reads Postgres runs the last one first:
/// a posting that is known stops a batch before its entries are written.
async fn write(
    connection: &mut PgConnection,
    book: &Book,
    decided: &[Decided<'_>],
    entries: &columns::Entries<'_>,
    events: &outbox::Row<'_>,
) -> Result<(), LedgerError> {
    let balances = BalanceColumns::of(book);
    let postings = PostingColumns::of(decided)?;
    let entries = EntryColumns::of(entries);
    sqlx::query!(
        r#"WITH changed AS (
               UPDATE balances b
               SET posted = new.posted, held = new.held, entries = new.entries, updated_at = new.updated_at
               FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[], $6::bigint[],
                           $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[],
                           $12::bigint[])
                    AS new (account_id, posted, held, entries, updated_at, was_posted, was_held, was_entries, status,
                            floor, ceiling, intake_ceiling)
               WHERE b.account_id = new.account_id
                 AND b.posted = new.was_posted AND b.held = new.was_held AND b.entries = new.was_entries
                 AND b.updated_at <= new.updated_at
                 AND b.status = new.status AND b.ceiling IS NOT DISTINCT FROM new.ceiling
                 AND b.intake_ceiling IS NOT DISTINCT FROM new.intake_ceiling
                 AND CASE WHEN b.may_overdraw THEN NULL ELSE b.floor END IS NOT DISTINCT FROM new.floor
               RETURNING b.account_id
           ), entered AS (
               INSERT INTO entries (account_id, sequence, id, posting_id, direction, amount, balance_after,
                                    description, posted_at)
               SELECT * FROM UNNEST($22::uuid[], $23::bigint[], $24::uuid[], $25::uuid[], $26::text[],
                                    $27::bigint[], $28::bigint[], $29::text[], $30::timestamptz[])
           ), posted AS (
               INSERT INTO postings (id, content_hash, type, outcome, refusal, posted_at, hold_id, takes_back,
                                     group_id)
               SELECT * FROM UNNEST($13::uuid[], $14::bytea[], $15::text[], $16::text[], $17::jsonb[],
                                    $18::timestamptz[], $19::uuid[], $20::uuid[], $21::uuid[])
           )
           SELECT balances_as_read(count(*), cardinality($1)) AS "checked?",
                  outbox_add($31, $32, $33, $34, $35, $36) AS "added?"
           FROM changed"#,
        &balances.accounts,
        &balances.posted,
        &balances.held,
        &balances.entries,
        &balances.updated,
        &balances.was_posted,
        &balances.was_held,
        &balances.was_entries,
        &balances.statuses as &[&str],
        &balances.floors as &[Option<i64>],
        &balances.ceilings as &[Option<i64>],
        &balances.intake_ceilings as &[Option<i64>],
        &postings.ids,
        &postings.hashes as &[&[u8]],
        &postings.kinds as &[&str],
        &postings.outcomes as &[&str],
        &postings.refusals as &[Option<serde_json::Value>],
        &postings.times,
        &postings.holds as &[Option<Uuid>],
        &postings.taken_back as &[Option<Uuid>],
        &postings.groups as &[Option<Uuid>],
        &entries.accounts,
        &entries.sequences,
        &entries.ids,
        &entries.postings,
        &entries.directions as &[&str],
        &entries.amounts,
        &entries.after,
        &entries.descriptions as &[&str],
        &entries.times,
        events.topic,
        &events.ids,
        &events.keys as &[&str],
        &events.types as &[&str],
        &events.payloads as &[&str],
        events.created_at,
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// One that is in the way is somebody else's, placed under the same id since we looked, when it is final already (none of ours
/// changes once it is final) or of another account or amount. One that is like ours would be overwritten, and then the
/// key of `postings` undoes all of this.
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
         WHERE holds.status = 'held' AND holds.account_id = excluded.account_id AND holds.amount = excluded.amount",
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

/// Adds to what has gone back. Every return of a posting locks its payers' balances first, so it was decided on what is there;
/// were that ever untrue, the CHECK would refuse a sum that is more than was taken.
async fn upsert_returns_in_op(op: &mut Op, book: &Book) -> Result<(), LedgerError> {
    let (mut postings, mut accounts, mut taken, mut more) = (vec![], vec![], vec![], vec![]);
    for (id, before) in &book.changed().returned {
        let Some(earlier) = book.earlier(*id) else { continue };
        let took = earlier.taken();
        for (account, back) in &earlier.returned {
            let was = before.get(account).copied().unwrap_or_default();
            if *back == was {
                continue;
            }
            postings.push(id.uuid());
            accounts.push(account.uuid());
            taken.push(i64::try_from(took.get(account).copied().unwrap_or_default()).unwrap_or(i64::MAX));
            more.push(back - was);
        }
    }
    if postings.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "INSERT INTO posting_returns (posting_id, account_id, taken, returned)
         SELECT * FROM UNNEST($1::uuid[], $2::uuid[], $3::bigint[], $4::bigint[])
         ON CONFLICT ON CONSTRAINT posting_returns_pkey DO UPDATE
         SET returned = posting_returns.returned + excluded.returned",
        &postings,
        &accounts,
        &taken,
        &more,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
