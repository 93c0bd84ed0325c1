//! The state on which a list of postings is decided: the accounts that it touches, the holds and the earlier postings
//! that it names, as they stand between two of its postings.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use common_utils::{ids::TransactionId, money::Currency};

use super::{
    account::{Account, AccountId, PlatformIds, Standing},
    hold::{Hold, HoldStatus},
    posting::AccountRef,
    rules::Direction,
};

/// One entry's worth of movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub account: AccountId,
    pub direction: Direction,
    pub amount: i64,
}

/// A posting that moved money, as far as taking it back needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Earlier {
    /// In the order in which it was posted.
    pub steps: Vec<Step>,
    /// What has gone back to each account that it debited.
    pub returned: BTreeMap<AccountId, i64>,
    /// It took back another posting itself.
    pub is_return: bool,
}

impl Earlier {
    /// What it took from each account.
    pub(super) fn taken(&self) -> BTreeMap<AccountId, i128> {
        let mut taken = BTreeMap::new();
        for step in self.steps.iter().filter(|step| step.direction == Direction::Debit) {
            *taken.entry(step.account).or_default() += i128::from(step.amount);
        }
        taken
    }
}

/// New values for parts of a book. Putting them in gives back those that were there, which undoes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub standings: Vec<(AccountId, Standing)>,
    pub hold: Option<(TransactionId, Option<Hold>)>,
    pub returned: Option<(TransactionId, BTreeMap<AccountId, i64>)>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    accounts: HashMap<AccountId, Account>,
    platform: PlatformIds,
    holds: HashMap<TransactionId, Hold>,
    earlier: HashMap<TransactionId, Earlier>,
    changed: Changed,
}

/// What is to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Each with how it stood before anything was decided.
    pub accounts: BTreeMap<AccountId, Standing>,
    pub holds: BTreeSet<TransactionId>,
    /// Each with what had gone back before.
    pub returned: BTreeMap<TransactionId, BTreeMap<AccountId, i64>>,
}

impl Book {
    pub(super) fn new(accounts: impl IntoIterator<Item = Account>, platform: PlatformIds) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Self { accounts, platform, ..Self::default() }
    }

    #[must_use]
    pub(super) fn with_holds(mut self, holds: impl IntoIterator<Item = Hold>) -> Self {
        self.holds = holds.into_iter().map(|hold| (hold.id, hold)).collect();
        self
    }

    #[must_use]
    pub(super) fn with_earlier(mut self, earlier: HashMap<TransactionId, Earlier>) -> Self {
        self.earlier = earlier;
        self
    }

    pub(super) fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The account that a leg in `currency` means. A wallet's reference never leads to an account of the platform.
    pub(super) fn resolve(&self, reference: &AccountRef, currency: Currency) -> Option<&Account> {
        match reference {
            AccountRef::Wallet(id) => self.account((*id).into()).filter(|account| account.owner.is_some()),
            AccountRef::Platform(code) => {
                self.platform.get(&(code.clone(), currency)).and_then(|id| self.account(*id))
            }
        }
    }

    pub(super) fn hold(&self, id: TransactionId) -> Option<&Hold> {
        self.holds.get(&id)
    }

    pub(super) fn earlier(&self, id: TransactionId) -> Option<&Earlier> {
        self.earlier.get(&id)
    }

    /// Whether all accounts are here that the platform's codes, its holds and earlier postings lead to.
    pub(super) fn is_complete(&self) -> bool {
        let held = self.holds.values().map(|hold| hold.account);
        let moved = self.earlier.values().flat_map(|earlier| earlier.steps.iter().map(|step| step.account));
        let platform = self.platform.values().copied();
        held.chain(moved).chain(platform).all(|account| self.accounts.contains_key(&account))
    }

    /// All accounts, as they stand.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// A posting of this very list that a later one of it takes back.
    pub(super) fn remember(&mut self, id: TransactionId, earlier: Earlier) {
        self.earlier.insert(id, earlier);
    }

    pub(super) fn forget(&mut self, id: TransactionId) {
        self.earlier.remove(&id);
    }

    pub(super) fn changed(&self) -> &Changed {
        &self.changed
    }

    pub(super) fn put(&mut self, change: Change) -> Change {
        let mut before = Change::default();
        for (id, standing) in change.standings {
            if let Some(account) = self.accounts.get_mut(&id) {
                let was = std::mem::replace(&mut account.standing, standing);
                before.standings.push((id, was));
                self.changed.accounts.entry(id).or_insert(was);
            }
        }
        if let Some((id, hold)) = change.hold {
            let was = match hold {
                Some(hold) => self.holds.insert(id, hold),
                None => self.holds.remove(&id),
            };
            before.hold = Some((id, was));
            self.changed.holds.insert(id);
        }
        if let Some((id, returned)) = change.returned
            && let Some(earlier) = self.earlier.get_mut(&id)
        {
            let was = std::mem::replace(&mut earlier.returned, returned);
            self.changed.returned.entry(id).or_insert_with(|| was.clone());
            before.returned = Some((id, was));
        }
        before
    }

    /// Ends the holds whose time is over, before anything is decided: the clock ends them, not whoever looks first.
    pub(super) fn expire_overdue(&mut self, now: DateTime<Utc>) -> usize {
        let overdue: Vec<Hold> = self.holds.values().filter(|hold| hold.is_overdue(now)).copied().collect();
        for hold in &overdue {
            let Some(account) = self.accounts.get(&hold.account) else { continue };
            // The clock may have been set back since.
            let at = now.max(account.standing.updated_at);
            let held = account.standing.held - hold.left();
            self.put(Change {
                standings: vec![(hold.account, Standing { held, updated_at: at, ..account.standing })],
                hold: Some((hold.id, Some(hold.closed(HoldStatus::Expired, at)))),
                returned: None,
            });
        }
        overdue.len()
    }
}
