//! What is true of every ledger at any time.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;
use proptest::prelude::*;

use super::{
    Run,
    model::Stage,
    store::{Store, account_id},
    terms::{WALLETS, of_wallet},
    translate,
};
use crate::ledger::{
    AccountId, Action, Direction,
    batch::takes_back,
    hold::{Hold, HoldStatus},
};

pub(super) fn same_balances(run: &Run) -> Result<(), TestCaseError> {
    for (place, balance) in &run.model.balances {
        let account = &run.store.accounts[&account_id(*place)];
        prop_assert_eq!(i128::from(account.standing.posted), balance.posted, "{:?}", place);
        prop_assert_eq!(i128::from(account.standing.held), run.model.held(*place), "{:?}", place);
    }
    for (id, hold) in &run.model.holds {
        let kept = &run.store.holds[&translate::id(*id)];
        let stage = match kept.status {
            HoldStatus::Held => Stage::Held,
            HoldStatus::Captured => Stage::Captured,
            HoldStatus::Released => Stage::Released,
            HoldStatus::Expired => Stage::Expired,
        };
        prop_assert_eq!((stage, i128::from(kept.captured)), (hold.stage, hold.captured), "hold {}", id);
        prop_assert_eq!(account_id(hold.account), kept.account);
    }
    prop_assert_eq!(run.model.holds.len(), run.store.holds.len());
    Ok(())
}

/// Nothing is made or lost, every bound is kept, what is held is on hold, and no more goes back than was taken.
pub(super) fn sound(store: &Store) -> Result<(), TestCaseError> {
    let mut totals = BTreeMap::new();
    for account in store.accounts.values() {
        let (bounds, standing) = (account.bounds, account.standing);
        *totals.entry(account.currency.code()).or_insert(0) += i128::from(standing.posted);
        let available = i128::from(standing.posted) - i128::from(standing.held);
        prop_assert!(bounds.floor.is_none_or(|floor| available >= i128::from(floor)), "{:?}", account);
        prop_assert!(bounds.ceiling.is_none_or(|ceiling| standing.posted <= ceiling), "{:?}", account);
        prop_assert_eq!(i128::from(standing.held), store.open_holds(account.id), "{:?}", account);
    }
    prop_assert!(totals.values().all(|total| *total == 0), "{:?}", totals);
    for (id, earlier) in &store.earlier {
        let given = store.given_back(*id);
        for (account, taken) in earlier.taken() {
            let back = given.get(&account).copied().unwrap_or_default();
            prop_assert!(back <= taken, "{} gave back {} of {}", id, back, taken);
            let noted = earlier.returned.get(&account).copied().unwrap_or_default();
            prop_assert_eq!(back, i128::from(noted), "{}", id);
        }
    }
    Ok(())
}

/// No balance rose above its intake ceiling by one of the entries from this one on, unless by what was given back. Bounds do not
/// change while entries are made.
pub(super) fn within_intake(store: &Store, from: usize) -> Result<(), TestCaseError> {
    for (entry, posting, _) in &store.entries[from..] {
        let is_return = takes_back(store.postings[posting].action()).is_some();
        let ceiling = store.accounts[&entry.account].bounds.intake_ceiling;
        if entry.direction == Direction::Credit && !is_return {
            let kept = ceiling.is_none_or(|ceiling| entry.balance_after <= ceiling);
            prop_assert!(kept, "{:?} above {:?}", entry, ceiling);
        }
    }
    Ok(())
}

/// Entries are numbered without gaps, each with the balance after it, their times never go back, and each posting's
/// debits equal its credits.
pub(super) fn chained(store: &Store) -> Result<(), TestCaseError> {
    let mut last: BTreeMap<AccountId, (i64, i64, DateTime<Utc>)> = BTreeMap::new();
    let mut sums: BTreeMap<(TransactionId, &str), i128> = BTreeMap::new();
    for (entry, posting, posted_at) in &store.entries {
        let start = (0, 0, DateTime::<Utc>::MIN_UTC);
        let (sequence, balance, time) = last.get(&entry.account).copied().unwrap_or(start);
        let signed = if entry.direction == Direction::Credit { entry.amount } else { -entry.amount };
        prop_assert_eq!(entry.sequence, sequence + 1);
        prop_assert_eq!(entry.balance_after, balance + signed);
        prop_assert!(*posted_at >= time, "entry {} of {}", entry.sequence, entry.account);
        last.insert(entry.account, (entry.sequence, entry.balance_after, *posted_at));
        let currency = store.accounts[&entry.account].currency.code();
        *sums.entry((*posting, currency)).or_default() += i128::from(signed);
    }
    prop_assert!(sums.values().all(|sum| *sum == 0), "{:?}", sums);
    for account in store.accounts.values() {
        let end = (account.standing.entries, account.standing.posted);
        prop_assert_eq!(
            last.get(&account.id).map_or((0, 0), |(sequence, balance, _)| (*sequence, *balance)),
            end
        );
    }
    Ok(())
}

/// What the history of each wallet tells of its moments, up to its last one but without it: that may go on.
pub(super) fn told(run: &Run) -> BTreeMap<(AccountId, DateTime<Utc>), (i64, i64)> {
    let mut told = BTreeMap::new();
    for account in (0..WALLETS).map(|number| account_id(of_wallet(number))) {
        let holds = run.store.holds.values().filter(|hold| hold.account == account);
        let of_holds = holds.flat_map(|hold| [Some(hold.created_at), hold.closed_at]).flatten();
        let entries = run.store.entries.iter().filter(|(entry, ..)| entry.account == account);
        let mut moments: BTreeSet<_> = entries.map(|(.., posted_at)| *posted_at).chain(of_holds).collect();
        moments.pop_last();
        told.extend(moments.into_iter().map(|moment| ((account, moment), past(run, account, moment))));
    }
    told
}

/// What was posted and held at that moment.
fn past(run: &Run, account: AccountId, moment: DateTime<Utc>) -> (i64, i64) {
    let entries =
        || run.store.entries.iter().filter(|(entry, _, at)| entry.account == account && *at <= moment);
    let posted = entries().next_back().map_or(0, |(entry, ..)| entry.balance_after);
    let captured = |hold: &Hold| {
        let of_hold = |id: &TransactionId| match run.store.postings[id].action() {
            Action::Capture { hold: named, .. } => *named == hold.id,
            _ => false,
        };
        let debits =
            entries().filter(|(entry, posting, _)| entry.direction == Direction::Debit && of_hold(posting));
        debits.map(|(entry, ..)| entry.amount).sum::<i64>()
    };
    let open = run.store.holds.values().filter(|hold| {
        let lasted = hold.created_at <= moment && hold.closed_at.is_none_or(|closed| closed > moment);
        hold.account == account && lasted
    });
    (posted, open.map(|hold| hold.amount - captured(hold)).sum())
}
