//! That only what is asked decides: not in which batches it comes, nor what stands beside it.

use proptest::{prelude::*, sample::Index};

use super::{
    PostingResult, Run, after, code, left,
    program::{Turn, program},
    terms::{Id, Order},
    translated,
};
use crate::ledger::{Outcome, RefusalCode};

/// Every list a batch of its own, and cut in two where no group is.
fn cut_up(turns: &[Turn], cut: Index) -> Vec<Turn> {
    let mut pieces = Vec::new();
    for turn in turns {
        let Turn::Batch(lists) = turn else {
            pieces.push(turn.clone());
            continue;
        };
        for list in lists {
            let same_group = |at: usize| list[at].group.is_some() && list[at].group == list[at - 1].group;
            let mut at = cut.index(list.len() + 1);
            while at > 0 && at < list.len() && same_group(at) {
                at -= 1;
            }
            let (head, tail) = list.split_at(at);
            pieces.extend([head, tail].map(|orders| Turn::Batch(vec![orders.to_vec()])));
        }
    }
    pieces
}

fn answers(run: &mut Run, turns: &[Turn]) -> Vec<PostingResult> {
    turns.iter().flat_map(|turn| run.turn(turn).0).collect()
}

/// Orders of the program as new ones.
fn anew(turns: &[Turn], which: &[Index], group: Option<Id>) -> Vec<Order> {
    let batches =
        turns.iter().filter_map(|turn| if let Turn::Batch(lists) = turn { Some(lists) } else { None });
    let orders: Vec<&Order> = batches.flatten().flatten().collect();
    if orders.is_empty() {
        return Vec::new();
    }
    let picked = which.iter().map(|which| (*which.get(&orders)).clone());
    picked.zip(500_000..).map(|(order, id)| Order { id, group, ..order }).collect()
}

fn post(run: &mut Run, orders: &[Order]) -> Vec<PostingResult> {
    let now = run.now;
    run.store.post(&[translated(orders)], now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn how_lists_are_cut_and_gathered_does_not_matter(turns in program(), cut: Index) {
        let (mut whole, mut cut_run) = (Run::new(), Run::new());
        let (all, one_by_one) = (answers(&mut whole, &turns), answers(&mut cut_run, &cut_up(&turns, cut)));
        prop_assert_eq!(all, one_by_one);
        prop_assert_eq!(left(&whole.store), left(&cut_run.store));
        prop_assert_eq!(whole.store.entries, cut_run.store.entries);
    }

    #[test]
    fn postings_that_share_no_account_may_change_places(turns in program(), which: [Index; 6]) {
        let run = after(&turns);
        let orders = anew(&turns, &which, None);
        let apart = |one: &Order, other: &Order| {
            run.model.accounts_of(one).is_disjoint(&run.model.accounts_of(other))
        };
        let others = |place: usize| orders.iter().skip(place + 1);
        let mut pairs = orders.iter().enumerate().flat_map(|(place, one)| others(place).map(move |other| (one, other)));
        let Some((one, other)) = pairs.find(|(one, other)| apart(one, other)) else { return Ok(()) };
        let (mut forth, mut back) = (after(&turns), after(&turns));
        let mut first = post(&mut forth, &[one.clone(), other.clone()]);
        let second = post(&mut back, &[other.clone(), one.clone()]);
        first.reverse();
        prop_assert_eq!(first, second);
        prop_assert_eq!(left(&forth.store), left(&back.store));
    }

    #[test]
    fn a_refused_group_leaves_no_trace(turns in program(), which: [Index; 3]) {
        let mut run = after(&turns);
        // The clock's work is done whatever is asked.
        run.turn(&Turn::Sweep);
        let (before, entries) = (run.store.clone(), run.store.entries.len());
        let members = anew(&turns, &which, Some(500_000));
        let results = post(&mut run, &members);
        let codes: Vec<Option<String>> = results.iter().map(code).collect();
        if codes.iter().all(Option::is_none) {
            return Ok(());
        }
        prop_assert_eq!(left(&run.store), left(&before));
        prop_assert_eq!(run.store.entries.len(), entries);
        let own = codes.iter().flatten().filter(|code| *code != "group_refused").count();
        prop_assert_eq!((own, codes.iter().flatten().count()), (1, members.len()), "{:?}", codes);
        // For ever.
        let again = post(&mut run, &members);
        prop_assert_eq!(again.iter().map(code).collect::<Vec<_>>(), codes);
        prop_assert!(again.iter().all(|result| result.replayed));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Who adds what is missing is not told again that it is missing; who adds less is.
    #[test]
    fn what_is_said_to_be_missing_is_just_enough(turns in program(), which: [Index; 4]) {
        for order in anew(&turns, &which, None) {
            let mut tried = after(&turns);
            let result = post(&mut tried, std::slice::from_ref(&order))[0];
            let Outcome::Refused(refusal) = result.outcome else { continue };
            let (Some(wallet), Some(missing)) = (refusal.wallet_id, refusal.missing) else { continue };
            if refusal.code != RefusalCode::InsufficientFunds || missing == i64::MAX {
                continue;
            }
            // None where that much does not fit.
            let outcome_with = |more: i64| {
                let mut run = after(&turns);
                let account = run.store.accounts.get_mut(&wallet.into()).unwrap();
                account.standing.posted = account.standing.posted.checked_add(more)?;
                Some(post(&mut run, std::slice::from_ref(&order))[0].outcome)
            };
            let still = outcome_with(missing).and_then(Outcome::refusal).filter(|refusal| {
                refusal.code == RefusalCode::InsufficientFunds && refusal.wallet_id == Some(wallet)
            });
            prop_assert_eq!(still, None);
            prop_assert_ne!(outcome_with(missing - 1), Some(Outcome::Posted));
        }
    }
}
