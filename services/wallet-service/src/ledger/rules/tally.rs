//! Step by step over the accounts: the standing of each, and the entries that come of it.

use chrono::{DateTime, Utc};
use common_utils::money::Currency;

use super::{Direction, Movement, NewEntry};
use crate::ledger::{
    account::{Account, AccountId, AccountStatus, Freeze, Standing},
    book::{Book, Change, Step},
    outcome::{Refusal, RefusalCode},
    posting::{AccountRef, Leg},
};

pub(super) struct Tally<'a> {
    book: &'a Book,
    /// Whether credits are new money to their accounts, as intake ceilings mean it.
    is_intake: bool,
    /// Of the accounts that were touched so far.
    standings: Vec<(AccountId, Standing)>,
    entries: Vec<NewEntry>,
}

impl<'a> Tally<'a> {
    pub(super) fn new(book: &'a Book) -> Self {
        Self { book, is_intake: true, standings: Vec::with_capacity(2), entries: Vec::with_capacity(2) }
    }

    /// Of what is given back or put right.
    pub(super) fn of_correction(book: &'a Book) -> Self {
        Self { is_intake: false, ..Self::new(book) }
    }

    /// Carries out the steps; the first that may not happen ends it. That an account takes no part is said before what it
    /// lacks.
    pub(super) fn take(&mut self, steps: &[Step]) -> Result<(), Refusal> {
        for step in steps {
            allows(self.account(step.account)?, step.direction)?;
        }
        for step in steps {
            let account = self.account(step.account)?;
            match step.direction {
                Direction::Debit => self.debit(account, step.amount, steps)?,
                Direction::Credit => self.credit(account, step.amount)?,
            }
        }
        Ok(())
    }

    /// Sets aside what is available, or with a negative amount gives it back.
    pub(super) fn hold(&mut self, account: &Account, amount: i64) -> Result<(), Refusal> {
        let before = self.standing(account);
        let held = before.held.checked_add(amount).ok_or(overflow(account))?;
        let after = Standing { held, ..before };
        if amount > 0 && short_of_floor(account, after) > 0 {
            return Err(insufficient(account, short_of_floor(account, after)));
        }
        self.set(account.id, after);
        Ok(())
    }

    pub(super) fn movement(self, now: DateTime<Utc>) -> Movement {
        let touched = self.standings.iter().map(|(_, standing)| standing.updated_at);
        let at = touched.fold(now, Ord::max);
        let mut standings = self.standings;
        for (_, standing) in &mut standings {
            standing.updated_at = at;
        }
        Movement { at, entries: self.entries, change: Change { standings, hold: None, returned: None } }
    }

    fn account(&self, id: AccountId) -> Result<&'a Account, Refusal> {
        self.book.account(id).ok_or(Refusal::plain(RefusalCode::AccountNotFound))
    }

    fn debit(&mut self, account: &Account, amount: i64, all: &[Step]) -> Result<(), Refusal> {
        let before = self.standing(account);
        let posted = before.posted.checked_sub(amount).ok_or(overflow(account))?;
        if short_of_floor(account, Standing { posted, ..before }) > 0 {
            return Err(insufficient(account, self.missing(account, all)));
        }
        self.enter(account, Direction::Debit, amount, posted)
    }

    fn credit(&mut self, account: &Account, amount: i64) -> Result<(), Refusal> {
        let posted = self.standing(account).posted.checked_add(amount).ok_or(overflow(account))?;
        if let Some(ceiling) = self.ceiling(account)
            && posted > ceiling
        {
            return Err(Refusal {
                missing: Some(posted.saturating_sub(ceiling)),
                ..refused(account, RefusalCode::CeilingExceeded)
            });
        }
        self.enter(account, Direction::Credit, amount, posted)
    }

    /// The lowest that is in force.
    fn ceiling(&self, account: &Account) -> Option<i64> {
        let intake = account.bounds.intake_ceiling.filter(|_| self.is_intake);
        account.bounds.ceiling.into_iter().chain(intake).min()
    }

    /// What the whole posting would need, so that somebody who adds just that is not refused for the next leg.
    fn missing(&self, account: &Account, steps: &[Step]) -> i128 {
        // Holds that this posting captures are set free before its first step.
        let held = self.standing(account).held;
        let mut available = i128::from(account.standing.posted) - i128::from(held);
        let mut lowest = available;
        for step in steps.iter().filter(|step| step.account == account.id) {
            match step.direction {
                Direction::Debit => available -= i128::from(step.amount),
                Direction::Credit => available += i128::from(step.amount),
            }
            lowest = lowest.min(available);
        }
        i128::from(account.bounds.floor.unwrap_or(i64::MIN)) - lowest
    }

    fn standing(&self, account: &Account) -> Standing {
        let touched = self.standings.iter().find(|(id, _)| *id == account.id);
        touched.map_or(account.standing, |(_, standing)| *standing)
    }

    fn set(&mut self, id: AccountId, standing: Standing) {
        match self.standings.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => *known = standing,
            None => self.standings.push((id, standing)),
        }
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
        self.set(account.id, Standing { posted: after, entries: sequence, ..before });
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

/// The two steps of a leg. Whether its accounts let them happen is found when they are taken.
pub(super) fn of_leg(book: &Book, leg: &Leg) -> Result<[Step; 2], Refusal> {
    let (currency, amount) = (leg.amount.currency, leg.amount.amount);
    let debit = resolve(book, &leg.debit, currency)?.id;
    let credit = resolve(book, &leg.credit, currency)?.id;
    Ok(pay(debit, credit, amount))
}

pub(super) fn pay(debit: AccountId, credit: AccountId, amount: i64) -> [Step; 2] {
    [
        Step { account: debit, direction: Direction::Debit, amount },
        Step { account: credit, direction: Direction::Credit, amount },
    ]
}

/// The account that is meant, if it holds this currency.
pub(super) fn resolve<'a>(
    book: &'a Book,
    reference: &AccountRef,
    currency: Currency,
) -> Result<&'a Account, Refusal> {
    let wallet_id = match reference {
        AccountRef::Wallet(id) => Some(*id),
        AccountRef::Platform(_) => None,
    };
    let refused = |code| Refusal { code, wallet_id, missing: None };
    let account = book.resolve(reference, currency).ok_or(refused(RefusalCode::AccountNotFound))?;
    if account.currency != currency {
        return Err(refused(RefusalCode::CurrencyMismatch));
    }
    Ok(account)
}

/// Whether the account's status lets money through in this direction.
pub(super) fn allows(account: &Account, direction: Direction) -> Result<(), Refusal> {
    let shut = match account.status {
        AccountStatus::Active => return Ok(()),
        AccountStatus::Closed => return Err(refused(account, RefusalCode::WalletClosed)),
        AccountStatus::Frozen(freeze) => freeze,
    };
    let open = match direction {
        Direction::Debit => shut == Freeze::In,
        Direction::Credit => shut == Freeze::Out,
    };
    if open { Ok(()) } else { Err(refused(account, RefusalCode::WalletFrozen)) }
}

pub(super) fn refused(account: &Account, code: RefusalCode) -> Refusal {
    Refusal { code, wallet_id: account.wallet(), missing: None }
}

/// How far below its floor the account would be; not above zero where it is not.
fn short_of_floor(account: &Account, standing: Standing) -> i128 {
    let Some(floor) = account.bounds.floor else { return 0 };
    i128::from(floor) + i128::from(standing.held) - i128::from(standing.posted)
}

fn insufficient(account: &Account, missing: i128) -> Refusal {
    let missing = Some(i64::try_from(missing).unwrap_or(i64::MAX));
    Refusal { missing, ..refused(account, RefusalCode::InsufficientFunds) }
}

fn overflow(account: &Account) -> Refusal {
    refused(account, RefusalCode::Overflow)
}
