//! The rules: state × posting → outcome, without I/O.
//!
//! 1. Every account that takes part exists, has the currency, is not closed, and not frozen in that direction.
//! 2. Step by step, the debit of a leg before its credit: an account keeps `posted − held ≥ floor` after each step, not
//!    only at the end, and `posted ≤ ceiling`; no balance leaves 64 bits. A credit keeps `posted ≤ intake ceiling` too, unless
//!    the posting takes another one back or is an adjustment: what was a person's own is never kept from them.
//! 3. What a hold sets aside was available; what is captured was set aside by that hold, which is open.
//! 4. A posting is taken back by one reversal, or by refunds that together are no more than it took. Never both.
//! 5. All of a posting or nothing: a refusal leaves no trace in the state.
//!
//! Entries of an account are numbered without gaps. Their times, and those of its holds, never go back even if the
//! machine's clock does, because the balance at a time is found by time.

mod holds;
mod returns;
mod tally;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    account::AccountId,
    book::{Book, Change},
    outcome::Refusal,
    posting::{Action, Posting, PostingType},
};
use tally::{Tally, of_leg};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    Debit,
    Credit,
}

impl Direction {
    pub fn name(self) -> &'static str {
        match self {
            Self::Debit => "debit",
            Self::Credit => "credit",
        }
    }

    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Debit => Self::Credit,
            Self::Credit => Self::Debit,
        }
    }
}

/// One entry that a posting makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NewEntry {
    pub account: AccountId,
    pub sequence: i64,
    pub direction: Direction,
    pub amount: i64,
    pub balance_after: i64,
}

/// What a posting does that is not refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    pub at: DateTime<Utc>,
    pub entries: Vec<NewEntry>,
    /// The state after it; to be put into the book on which it was decided.
    pub change: Change,
}

/// Decides, and changes nothing.
pub(super) fn decide(book: &Book, posting: &Posting, now: DateTime<Utc>) -> Result<Movement, Refusal> {
    match posting.action() {
        Action::Move(legs) => {
            let mut steps = Vec::with_capacity(legs.len() * 2);
            for leg in legs {
                steps.extend(of_leg(book, leg)?);
            }
            let mut tally = match posting.kind() {
                PostingType::Adjustment => Tally::of_correction(book),
                _ => Tally::new(book),
            };
            tally.take(&steps)?;
            Ok(tally.movement(now))
        }
        Action::Hold { account, amount, expires_at } => {
            holds::place(book, posting.id(), account, *amount, *expires_at, now)
        }
        Action::Capture { hold, to } => holds::capture(book, *hold, to, now),
        Action::Release { hold } => holds::release(book, *hold, now),
        Action::Reverse { posting } => returns::reverse(book, *posting, now),
        Action::Refund { posting, from } => returns::refund(book, *posting, from, now),
    }
}

#[cfg(test)]
mod tests;
