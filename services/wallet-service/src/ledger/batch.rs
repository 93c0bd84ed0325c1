//! A list of postings, decided in the order in which they came, each on what those before it left.
//!
//! A posting that is known by its id is answered as the first time, whether it was decided yesterday or two places
//! before it in this list; a known id with other content is refused, and that refusal is not kept.
//!
//! Neighbours of one list and group are decided as one: the first refusal takes back what those before it did, and all
//! of them are refused for ever.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;

use super::{
    book::{Book, Change, Earlier, Step},
    hold::Hold,
    outcome::{Outcome, PostingResult, Refusal, RefusalCode},
    posting::{Action, Posting},
    rules::{self, Movement, NewEntry},
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
    /// The hold that it placed or changed, as it left it.
    pub hold: Option<Hold>,
}

impl Decided<'_> {
    pub(super) fn is_posted(&self) -> bool {
        self.outcome == Outcome::Posted
    }
}

/// What is to be written, and what is to be answered.
#[derive(Debug, Default)]
pub(super) struct Batch<'a> {
    pub decided: Vec<Decided<'a>>,
    pub results: Vec<PostingResult>,
    /// Holds that the clock ended.
    pub expired: usize,
}

/// Decides the whole list; `book` ends as it stands after it.
pub(super) fn decide_all<'a>(
    book: &mut Book,
    known: HashMap<TransactionId, Known>,
    postings: &'a [Posting],
    now: DateTime<Utc>,
) -> Batch<'a> {
    let expired = book.expire_overdue(now);
    let taken_back = postings.iter().filter_map(|posting| takes_back(posting.action())).collect();
    let batch = Batch { expired, ..Batch::default() };
    let mut list = List { book, known, taken_back, now, batch };
    for run in postings.chunk_by(Posting::is_grouped_with) {
        if run.iter().any(|posting| posting.group().is_some()) {
            list.group(run);
        } else {
            for posting in run {
                list.alone(posting);
            }
        }
    }
    list.batch
}

/// The posting that this one takes back.
pub(super) fn takes_back(action: &Action) -> Option<TransactionId> {
    match action {
        Action::Reverse { posting } | Action::Refund { posting, .. } => Some(*posting),
        Action::Move(_) | Action::Hold { .. } | Action::Capture { .. } | Action::Release { .. } => None,
    }
}

struct List<'a, 'b> {
    book: &'b mut Book,
    known: HashMap<TransactionId, Known>,
    /// Postings that somebody in this list takes back.
    taken_back: HashSet<TransactionId>,
    now: DateTime<Utc>,
    batch: Batch<'a>,
}

impl<'a> List<'a, '_> {
    fn alone(&mut self, posting: &'a Posting) {
        if let Some(earlier) = self.known.get(&posting.id()) {
            self.batch.results.push(answer_again(posting, earlier));
            return;
        }
        let decided = match rules::decide(self.book, posting, self.now) {
            Ok(movement) => self.carry_out(posting, movement).0,
            Err(refusal) => self.refused(posting, refusal),
        };
        self.conclude(decided);
    }

    fn group(&mut self, members: &'a [Posting]) {
        let mut ids = HashSet::new();
        if members.iter().any(|member| self.known.contains_key(&member.id()) || !ids.insert(member.id())) {
            return self.group_again(members);
        }
        let mut done = Vec::with_capacity(members.len());
        let mut undo = Vec::with_capacity(members.len());
        for member in members {
            match rules::decide(self.book, member, self.now) {
                Ok(movement) => {
                    let (decided, before) = self.carry_out(member, movement);
                    done.push(decided);
                    undo.push(before);
                }
                Err(refusal) => {
                    self.take_back(members, undo);
                    let because = member.id();
                    for member in members {
                        let own = member.id() == because;
                        let refusal = if own { refusal } else { Refusal::plain(RefusalCode::GroupRefused) };
                        let decided = self.refused(member, refusal);
                        self.conclude(decided);
                    }
                    return;
                }
            }
        }
        for decided in done {
            self.conclude(decided);
        }
    }

    /// Members of a group are decided together, so all of them are known or none is. Who is not known here came under an id
    /// twice, or with another group of the same name.
    fn group_again(&mut self, members: &'a [Posting]) {
        for member in members {
            let answer = self
                .known
                .get(&member.id())
                .map_or_else(|| mismatch(member, self.now), |earlier| answer_again(member, earlier));
            self.batch.results.push(answer);
        }
    }

    fn carry_out(&mut self, posting: &'a Posting, movement: Movement) -> (Decided<'a>, Change) {
        let Movement { at, entries, change } = movement;
        let hold = change.hold.and_then(|(_, hold)| hold);
        let before = self.book.put(change);
        // A hold or a release moved nothing that could be taken back.
        if self.taken_back.contains(&posting.id()) && !entries.is_empty() {
            self.book.remember(posting.id(), earlier(posting, &entries));
        }
        (Decided { posting, outcome: Outcome::Posted, at, entries, hold }, before)
    }

    fn take_back(&mut self, members: &[Posting], undo: Vec<Change>) {
        for change in undo.into_iter().rev() {
            self.book.put(change);
        }
        for member in members {
            self.book.forget(member.id());
        }
    }

    fn refused(&self, posting: &'a Posting, refusal: Refusal) -> Decided<'a> {
        let outcome = Outcome::Refused(refusal);
        Decided { posting, outcome, at: self.now, entries: Vec::new(), hold: None }
    }

    fn conclude(&mut self, decided: Decided<'a>) {
        let (posting, outcome, posted_at) = (decided.posting, decided.outcome, decided.at);
        let content_hash = posting.content_hash().to_vec();
        self.known.insert(posting.id(), Known { content_hash, outcome, posted_at });
        self.batch.results.push(PostingResult { id: posting.id(), outcome, replayed: false, posted_at });
        self.batch.decided.push(decided);
    }
}

fn earlier(posting: &Posting, entries: &[NewEntry]) -> Earlier {
    let step =
        |entry: &NewEntry| Step { account: entry.account, direction: entry.direction, amount: entry.amount };
    Earlier {
        steps: entries.iter().map(step).collect(),
        is_return: takes_back(posting.action()).is_some(),
        ..Earlier::default()
    }
}

fn answer_again(posting: &Posting, earlier: &Known) -> PostingResult {
    if posting.content_hash() != earlier.content_hash {
        return mismatch(posting, earlier.posted_at);
    }
    PostingResult { id: posting.id(), outcome: earlier.outcome, replayed: true, posted_at: earlier.posted_at }
}

fn mismatch(posting: &Posting, posted_at: DateTime<Utc>) -> PostingResult {
    let outcome = Outcome::Refused(Refusal::plain(RefusalCode::ContentMismatch));
    PostingResult { id: posting.id(), outcome, replayed: false, posted_at }
}

#[cfg(test)]
mod tests;
