//! What is written, column by column: a table's new rows are one array for each of its columns.

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;
use uuid::Uuid;

use crate::ledger::{
    Action, LedgerError,
    batch::{Decided, takes_back},
    book::Book,
    rules::NewEntry,
};

/// Entries, the postings that they are of, and the ids that they are written under.
pub(super) type Entries<'a> = Vec<(&'a Decided<'a>, &'a NewEntry, Uuid)>;

pub(super) fn entries<'a>(decided: &'a [Decided<'a>], new_id: impl Fn() -> Uuid) -> Entries<'a> {
    let with_ids = |decided: &'a Decided<'a>| decided.entries.iter().map(move |entry| (decided, entry));
    decided.iter().flat_map(with_ids).map(|(decided, entry)| (decided, entry, new_id())).collect()
}

/// New rows of `postings`, in id order: of two lists with the same new ids, one waits at the first of them, and neither in a
/// circle.
#[derive(Debug, Default)]
pub(super) struct PostingColumns<'a> {
    pub ids: Vec<Uuid>,
    pub hashes: Vec<&'a [u8]>,
    pub kinds: Vec<&'static str>,
    pub outcomes: Vec<&'static str>,
    pub refusals: Vec<Option<serde_json::Value>>,
    pub times: Vec<DateTime<Utc>>,
    pub holds: Vec<Option<Uuid>>,
    pub taken_back: Vec<Option<Uuid>>,
    pub groups: Vec<Option<Uuid>>,
}

impl<'a> PostingColumns<'a> {
    pub(super) fn of(decided: &'a [Decided<'a>]) -> Result<Self, LedgerError> {
        let mut sorted: Vec<&Decided<'_>> = decided.iter().collect();
        sorted.sort_unstable_by_key(|decided| decided.posting.id());
        let mut columns = Self::default();
        for decided in sorted {
            let posting = decided.posting;
            let refusal = decided.outcome.refusal().map(serde_json::to_value).transpose();
            columns.ids.push(posting.id().uuid());
            columns.hashes.push(posting.content_hash());
            columns.kinds.push(posting.kind().name());
            columns.outcomes.push(decided.outcome.name());
            columns.refusals.push(refusal.map_err(|error| LedgerError::corrupt(&error))?);
            columns.times.push(decided.at);
            columns.holds.push(hold_of(decided));
            columns.taken_back.push(taken_back_by(decided));
            columns.groups.push(posting.group());
        }
        Ok(columns)
    }
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

/// New rows of `entries`, as the primary key has them: what stands together on a page is written one after the other.
#[derive(Debug, Default)]
pub(super) struct EntryColumns<'a> {
    pub accounts: Vec<Uuid>,
    pub sequences: Vec<i64>,
    pub ids: Vec<Uuid>,
    pub postings: Vec<Uuid>,
    pub directions: Vec<&'static str>,
    pub amounts: Vec<i64>,
    pub after: Vec<i64>,
    pub descriptions: Vec<&'a str>,
    pub times: Vec<DateTime<Utc>>,
}

impl<'a> EntryColumns<'a> {
    pub(super) fn of(entries: &Entries<'a>) -> Self {
        let mut sorted: Vec<_> = entries.iter().collect();
        sorted.sort_unstable_by_key(|(_, entry, _)| (entry.account, entry.sequence));
        let mut columns = Self::default();
        for (decided, entry, id) in sorted {
            columns.accounts.push(entry.account.uuid());
            columns.sequences.push(entry.sequence);
            columns.ids.push(*id);
            columns.postings.push(decided.posting.id().uuid());
            columns.directions.push(entry.direction.name());
            columns.amounts.push(entry.amount);
            columns.after.push(entry.balance_after);
            columns.descriptions.push(decided.posting.description());
            columns.times.push(decided.at);
        }
        columns
    }
}

/// Changed rows of `balances`, in id order, beside what they were when the book was made.
#[derive(Debug, Default)]
pub(super) struct BalanceColumns {
    pub accounts: Vec<Uuid>,
    pub posted: Vec<i64>,
    pub held: Vec<i64>,
    pub entries: Vec<i64>,
    pub updated: Vec<DateTime<Utc>>,
    pub was_posted: Vec<i64>,
    pub was_held: Vec<i64>,
    pub was_entries: Vec<i64>,
    pub statuses: Vec<&'static str>,
    pub floors: Vec<Option<i64>>,
    pub ceilings: Vec<Option<i64>>,
    pub intake_ceilings: Vec<Option<i64>>,
}

impl BalanceColumns {
    pub(super) fn of(book: &Book) -> Self {
        let mut columns = Self::default();
        for (id, was) in &book.changed().accounts {
            let Some(account) = book.account(*id) else { continue };
            let now = account.standing;
            columns.accounts.push(id.uuid());
            columns.posted.push(now.posted);
            columns.held.push(now.held);
            columns.entries.push(now.entries);
            columns.updated.push(now.updated_at);
            columns.was_posted.push(was.posted);
            columns.was_held.push(was.held);
            columns.was_entries.push(was.entries);
            columns.statuses.push(account.status.name());
            columns.floors.push(account.bounds.floor);
            columns.ceilings.push(account.bounds.ceiling);
            columns.intake_ceilings.push(account.bounds.intake_ceiling);
        }
        columns
    }
}
