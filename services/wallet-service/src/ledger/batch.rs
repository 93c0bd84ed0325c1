//! A list of postings, decided in the order in which they came, each on what those before it left.
//!
//! A posting that is known by its id is answered as the first time, whether it was decided yesterday or two places
//! before it in this list; a known id with other content is refused, and that refusal is not kept.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;

use super::{
    account::Book,
    posting::{Outcome, Posting, PostingResult, Refusal, RefusalCode},
    rules::{self, NewEntry},
};

/// A posting that has been decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub content_hash: Vec<u8>,
    pub outcome: Outcome,
    pub posted_at: DateTime<Utc>,
}

/// A posting of this list that was decided here, with the entries that it makes.
#[derive(Debug)]
pub(super) struct Decided<'a> {
    pub posting: &'a Posting,
    pub outcome: Outcome,
    pub at: DateTime<Utc>,
    pub entries: Vec<NewEntry>,
}

/// What is to be written, and what is to be answered.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub decided: Vec<Decided<'a>>,
    pub results: Vec<PostingResult>,
}

/// Decides the whole list; `book` ends as it stands after it.
pub(super) fn decide_all<'a>(
    book: &mut Book,
    mut known: HashMap<TransactionId, Known>,
    postings: &'a [Posting],
    now: DateTime<Utc>,
) -> Batch<'a> {
    let mut batch = Batch::default();
    for posting in postings {
        if let Some(earlier) = known.get(&posting.id()) {
            batch.results.push(answer_again(posting, earlier));
            continue;
        }
        let decided = decide_one(book, posting, now);
        let (outcome, posted_at) = (decided.outcome, decided.at);
        let content_hash = posting.content_hash().to_vec();
        known.insert(posting.id(), Known { content_hash, outcome, posted_at });
        batch.results.push(PostingResult { id: posting.id(), outcome, replayed: false, posted_at });
        batch.decided.push(decided);
    }
    batch
}

fn decide_one<'a>(book: &mut Book, posting: &'a Posting, now: DateTime<Utc>) -> Decided<'a> {
    match rules::decide(book, posting, now) {
        Ok(movement) => {
            rules::apply(book, &movement);
            Decided { posting, outcome: Outcome::Posted, at: movement.at, entries: movement.entries }
        }
        Err(refusal) => Decided { posting, outcome: Outcome::Refused(refusal), at: now, entries: Vec::new() },
    }
}

fn answer_again(posting: &Posting, earlier: &Known) -> PostingResult {
    let same = posting.content_hash() == earlier.content_hash;
    let mismatch = Refusal { code: RefusalCode::ContentMismatch, wallet_id: None, missing: None };
    PostingResult {
        id: posting.id(),
        outcome: if same { earlier.outcome } else { Outcome::Refused(mismatch) },
        replayed: same,
        posted_at: earlier.posted_at,
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
