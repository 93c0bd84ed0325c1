//! The rules: state × posting → outcome, without I/O.
//!
//! 1. Every leg's accounts exist, have its currency, are neither frozen nor closed.
//! 2. Leg by leg, the debit before the credit: an account that may not overdraw keeps `posted − held ≥ 0` after each
//!    entry, not only at the end; no balance leaves 64 bits.
//! 3. All legs or none: a refusal leaves no trace in the state.
//!
//! Entries of an account are numbered without gaps, and their times never go back even if the machine's clock does,
//! because the balance at a time is found by time.

use chrono::{DateTime, Utc};
use common_utils::money::Currency;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    account::{Account, AccountId, AccountStatus, Book, Standing},
    posting::{AccountRef, Leg, Posting, Refusal, RefusalCode},
};

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
}

/// Decides, and changes nothing.
pub(super) fn decide(book: &Book, posting: &Posting, now: DateTime<Utc>) -> Result<Movement, Refusal> {
    let legs = posting.legs().iter().map(|leg| OpenLeg::of(book, leg)).collect::<Result<Vec<_>, _>>()?;
    let at = legs
        .iter()
        .flat_map(OpenLeg::accounts)
        .map(|account| account.standing.updated_at)
        .fold(now, Ord::max);
    let mut tally = Tally::default();
    for leg in &legs {
        tally.debit(leg, &legs)?;
        tally.credit(leg)?;
    }
    Ok(Movement { at, entries: tally.entries })
}

/// Brings the state to where it is after `movement`, which was decided on this very state.
pub(super) fn apply(book: &mut Book, movement: &Movement) {
    for entry in &movement.entries {
        if let Some(standing) = book.standing_mut(entry.account) {
            standing.posted = entry.balance_after;
            standing.entries = entry.sequence;
            standing.updated_at = movement.at;
        }
    }
}

/// A leg whose two accounts take part.
struct OpenLeg<'a> {
    debit: &'a Account,
    credit: &'a Account,
    amount: i64,
}

impl<'a> OpenLeg<'a> {
    fn of(book: &'a Book, leg: &Leg) -> Result<Self, Refusal> {
        let currency = leg.amount.currency;
        let debit = open(book, &leg.debit, currency)?;
        let credit = open(book, &leg.credit, currency)?;
        Ok(Self { debit, credit, amount: leg.amount.amount })
    }

    fn accounts(&self) -> [&'a Account; 2] {
        [self.debit, self.credit]
    }
}

fn open<'a>(book: &'a Book, reference: &AccountRef, currency: Currency) -> Result<&'a Account, Refusal> {
    let wallet = match reference {
        AccountRef::Wallet(id) => Some(*id),
        AccountRef::Platform(_) => None,
    };
    let refused = |code| Refusal { code, wallet_id: wallet, missing: None };
    let account = book.resolve(reference, currency).ok_or(refused(RefusalCode::AccountNotFound))?;
    if account.currency != currency {
        return Err(refused(RefusalCode::CurrencyMismatch));
    }
    match account.status {
        AccountStatus::Active => Ok(account),
        AccountStatus::Frozen => Err(refused(RefusalCode::WalletFrozen)),
        AccountStatus::Closed => Err(refused(RefusalCode::WalletClosed)),
    }
}

/// The accounts of one posting while its legs are gone through.
#[derive(Default)]
struct Tally {
    /// Few: a list is faster than a map.
    standings: Vec<(AccountId, Standing)>,
    entries: Vec<NewEntry>,
}

impl Tally {
    fn debit(&mut self, leg: &OpenLeg<'_>, all: &[OpenLeg<'_>]) -> Result<(), Refusal> {
        let account = leg.debit;
        let standing = self.standing(account);
        let after = standing.posted.checked_sub(leg.amount).ok_or(overflow(account))?;
        if !account.may_overdraw && after < standing.held {
            return Err(insufficient(account, all));
        }
        self.enter(account, Direction::Debit, leg.amount, after)
    }

    fn credit(&mut self, leg: &OpenLeg<'_>) -> Result<(), Refusal> {
        let account = leg.credit;
        let after = self.standing(account).posted.checked_add(leg.amount).ok_or(overflow(account))?;
        self.enter(account, Direction::Credit, leg.amount, after)
    }

    fn standing(&self, account: &Account) -> Standing {
        let touched = self.standings.iter().find(|(id, _)| *id == account.id);
        touched.map_or(account.standing, |(_, standing)| *standing)
    }

    fn enter(
        &mut self,
        account: &Account,
        direction: Direction,
        amount: i64,
        after: i64,
    ) -> Result<(), Refusal> {
        let before = self.standing(account);
        let sequence = before.entries.checked_add(1).ok_or(overflow(account))?;
        let standing = Standing { posted: after, entries: sequence, ..before };
        match self.standings.iter_mut().find(|(id, _)| *id == account.id) {
            Some((_, known)) => *known = standing,
            None => self.standings.push((account.id, standing)),
        }
        self.entries.push(NewEntry {
            account: account.id,
            sequence,
            direction,
            amount,
            balance_after: after,
        });
        Ok(())
    }
}

fn overflow(account: &Account) -> Refusal {
    Refusal { code: RefusalCode::Overflow, wallet_id: account.wallet(), missing: None }
}

/// Says what the whole posting would need, so that somebody who adds just that is not refused for the next leg.
fn insufficient(account: &Account, legs: &[OpenLeg<'_>]) -> Refusal {
    let mut available = i128::from(account.standing.posted) - i128::from(account.standing.held);
    let mut lowest = available;
    for leg in legs {
        if leg.debit.id == account.id {
            available -= i128::from(leg.amount);
        }
        lowest = lowest.min(available);
        if leg.credit.id == account.id {
            available += i128::from(leg.amount);
        }
    }
    let missing = i64::try_from(-lowest).unwrap_or(i64::MAX);
    Refusal { code: RefusalCode::InsufficientFunds, wallet_id: account.wallet(), missing: Some(missing) }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
