//! What must hold whatever is asked: properties over random programs. Each is carried out by the rules, on a [`store`] that
//! keeps what a database would, and by the [`model`].

mod api {
    pub(super) use crate::ledger::*;
}
mod arrangement;
mod examples;
mod laws;
mod model;
mod program;
mod store;
mod terms;
mod translate;

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, sample::Index, strategy::ValueTree, test_runner::TestRunner};

use super::*;
use crate::ledger::{Account, hold::Hold};
use laws::{chained, same_balances, sound, told, within_intake};
use model::Model;
use program::{Turn, program};
use store::{Store, wallet};
use terms::{Deed, Order, Time, of_wallet};

/// A program under way.
struct Run {
    store: Store,
    model: Model,
    now: Time,
}

impl Run {
    fn new() -> Self {
        Self { store: Store::new(), model: Model::new(), now: 0 }
    }

    /// The answers of the store, and those of the model.
    fn turn(&mut self, turn: &Turn) -> (Vec<PostingResult>, Vec<model::Answer>) {
        match turn {
            Turn::Batch(lists) => {
                let postings: Vec<Vec<Posting>> = lists.iter().map(|list| translated(list)).collect();
                let results = self.store.post(&postings, self.now);
                let answers = lists.iter().flat_map(|list| self.model.list(self.now, list)).collect();
                return (results, answers);
            }
            Turn::Wait(by) => self.now += by,
            Turn::Sweep => {
                self.store.sweep(self.now);
                self.model.expire(self.now, None);
            }
            Turn::Status(number, status) => {
                self.store.set_status(of_wallet(*number), *status);
                self.model.set_status(of_wallet(*number), *status);
            }
            Turn::Bounds(number, floor, ceiling) => {
                self.store.set_bounds(of_wallet(*number), *floor, *ceiling);
                self.model.set_bounds(Time::MIN, of_wallet(*number), *floor, *ceiling);
            }
            Turn::Intake(number, ceiling) => {
                self.store.set_intake(of_wallet(*number), *ceiling);
                self.model.set_intake(of_wallet(*number), *ceiling);
            }
        }
        (Vec::new(), Vec::new())
    }
}

/// The state after a program.
fn after(turns: &[Turn]) -> Run {
    let mut run = Run::new();
    for turn in turns {
        run.turn(turn);
    }
    run
}

fn translated(orders: &[Order]) -> Vec<Posting> {
    orders.iter().map(|order| translate::posting(order, &wallet)).collect()
}

fn code(result: &PostingResult) -> Option<String> {
    let refusal = result.outcome.refusal()?;
    Some(serde_json::to_value(refusal.code).unwrap().as_str().unwrap().to_owned())
}

/// Whether this answer stands for ever. That an id has other content is found anew each time.
fn stands(result: &PostingResult) -> bool {
    result.outcome.refusal().is_none_or(|refusal| refusal.code != RefusalCode::ContentMismatch)
}

fn same_answer(one: &PostingResult, other: &PostingResult) -> bool {
    (one.id, one.outcome, one.posted_at) == (other.id, other.outcome, other.posted_at)
}

/// What a program left, but for the answers that were given.
fn left(store: &Store) -> (Vec<&Account>, Vec<&Hold>, BTreeMap<TransactionId, &Earlier>) {
    let earlier = store.earlier.iter().map(|(id, earlier)| (*id, earlier)).collect();
    (store.accounts.values().collect(), store.holds.values().collect(), earlier)
}

fn bounded(turns: &[Turn]) -> bool {
    turns.iter().any(|turn| matches!(turn, Turn::Bounds(..)))
}

/// A hold whose time is over is never captured, though nobody swept.
fn in_time(run: &Run, turn: &Turn, results: &[PostingResult]) -> Result<(), TestCaseError> {
    let Turn::Batch(lists) = turn else { return Ok(()) };
    for (order, result) in lists.iter().flatten().zip(results) {
        let (Deed::Capture { hold, .. } | Deed::CaptureAll { hold, .. }) = order.deed else { continue };
        if result.outcome == Outcome::Posted && !result.replayed {
            let until = run.store.holds[&translate::id(hold)].expires_at;
            prop_assert!(until > translate::at(run.now), "{} was over at {}", hold, run.now);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn answers_balances_and_holds_are_those_of_the_model(turns in program()) {
        let mut run = Run::new();
        for turn in &turns {
            let (results, answers) = run.turn(turn);
            for (result, answer) in results.iter().zip(&answers) {
                let refused = code(result);
                prop_assert_eq!(refused.as_deref(), answer.refused, "{} in {:?}", result.id, turn);
                prop_assert_eq!(result.replayed, answer.again, "{} in {:?}", result.id, turn);
            }
            prop_assert_eq!(results.len(), answers.len());
            same_balances(&run)?;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn nothing_is_made_or_lost_and_every_bound_is_kept(turns in program()) {
        let mut run = Run::new();
        for turn in &turns {
            let entries = run.store.entries.len();
            let (results, _) = run.turn(turn);
            sound(&run.store)?;
            within_intake(&run.store, entries)?;
            in_time(&run, turn, &results)?;
        }
        chained(&run.store)?;
    }

    /// Whatever the machine's clock does.
    #[test]
    fn the_past_stays_as_it_was_told(turns in program()) {
        let (mut run, mut told_before) = (Run::new(), BTreeMap::new());
        for turn in &turns {
            run.turn(turn);
            let now = told(&run);
            for (moment, balance) in told_before {
                prop_assert_eq!(now.get(&moment), Some(&balance), "{:?} after {:?}", moment, turn);
            }
            for ((account, _), (posted, held)) in &now {
                let floor = run.store.accounts[account].bounds.floor;
                prop_assert!(floor != Some(0) || bounded(&turns) || posted >= held);
            }
            told_before = now;
        }
    }

    #[test]
    fn what_is_sent_again_changes_nothing_and_gets_the_same_answers(turns in program(), cut: Index) {
        let mut run = Run::new();
        let mut answered = Vec::new();
        for turn in &turns {
            let (results, _) = run.turn(turn);
            if let Turn::Batch(lists) = turn {
                answered.push((lists, results));
            }
        }
        let before = run.store.clone();
        for (lists, results) in &answered[..cut.index(answered.len() + 1)] {
            let lists: Vec<Vec<Posting>> = lists.iter().map(|list| translated(list)).collect();
            // Long before any hold is over: the clock is to change nothing either.
            let again = run.store.post(&lists, -1_000_000);
            for (first, again) in results.iter().zip(&again) {
                prop_assert!(!stands(first) || same_answer(first, again), "{:?}, then {:?}", first, again);
            }
        }
        prop_assert!(run.store == before);
    }
}

/// A generator that never gets there would prove nothing.
#[test]
fn programs_lead_to_every_outcome() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..400 {
        let turns = program().new_tree(&mut runner).unwrap().current();
        let mut run = Run::new();
        for turn in &turns {
            let (_, answers) = run.turn(turn);
            seen.extend(answers.into_iter().map(|answer| answer.refused.unwrap_or("posted")));
        }
    }
    let all = [
        "account_not_found",
        "already_returned",
        "ceiling_exceeded",
        "content_mismatch",
        "currency_mismatch",
        "group_refused",
        "hold_closed",
        "hold_exceeded",
        "hold_expired",
        "hold_not_found",
        "insufficient_funds",
        "not_returnable",
        "overflow",
        "posted",
        "posting_not_found",
        "refund_exceeded",
        "same_account",
        "wallet_closed",
        "wallet_frozen",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}
