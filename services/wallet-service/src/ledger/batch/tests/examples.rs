//! Programs that went wrong once, and answers worth reading.

use common_utils::ids::TransactionId;

use super::{
    Run, code,
    program::Turn,
    terms::{Coin, Deed, Id, Leg, Order, Part, Party, Time},
    translate,
};
use crate::ledger::hold::Hold;

fn fund(id: Id, wallet: u8, amount: i64) -> Order {
    let leg = Leg { from: Party::Equity, to: Party::Wallet(wallet), coin: Coin::Ngn, amount };
    Order { id, deed: Deed::Move(vec![leg]), group: None }
}

fn hold(id: Id, amount: i64, until: Time) -> Order {
    let on = Part { party: Party::Wallet(0), coin: Coin::Ngn, amount };
    Order { id, deed: Deed::Hold { on, until }, group: None }
}

fn order(id: Id, deed: Deed) -> Order {
    Order { id, deed, group: None }
}

fn in_group(mut order: Order) -> Order {
    order.group = Some(7);
    order
}

/// The codes of refusals, and whether it is an answer of before.
fn answers(run: &mut Run, lists: Vec<Vec<Order>>) -> Vec<(Option<String>, bool)> {
    let (results, _) = run.turn(&Turn::Batch(lists));
    results.iter().map(|result| (code(result), result.replayed)).collect()
}

fn refused(code: &str) -> (Option<String>, bool) {
    (Some(code.to_owned()), false)
}

const POSTED: (Option<String>, bool) = (None, false);
const AGAIN: (Option<String>, bool) = (None, true);

#[test]
fn a_known_id_with_other_content_is_refused_and_not_kept() {
    let list = vec![fund(1, 0, 10), fund(1, 0, 11), fund(1, 0, 10)];
    assert_eq!(answers(&mut Run::new(), vec![list]), [POSTED, refused("content_mismatch"), AGAIN]);
}

/// A retry that overtakes its first call's answer may be gathered right behind it.
#[test]
fn a_group_that_comes_twice_at_once_is_posted_once_and_answered_twice() {
    let group = vec![in_group(fund(1, 0, 10)), in_group(fund(2, 1, 10))];
    let got = answers(&mut Run::new(), vec![group.clone(), group]);
    assert_eq!(got, [POSTED, POSTED, AGAIN, AGAIN]);
}

#[test]
fn groups_of_two_callers_are_two_though_their_names_are_one() {
    let bad = order(2, Deed::Release { hold: 99 });
    let got = answers(&mut Run::new(), vec![vec![in_group(fund(1, 0, 10))], vec![in_group(bad)]]);
    assert_eq!(got, [POSTED, refused("hold_not_found")]);
}

#[test]
fn a_hold_has_moved_nothing_that_could_be_taken_back() {
    let reversal = |id| order(id, Deed::Reverse { posting: 2 });
    let part = Part { party: Party::Fee, coin: Coin::Ngn, amount: 1 };
    let refund = order(5, Deed::Refund { posting: 2, from: vec![part] });
    let mut run = Run::new();
    let one_list = vec![fund(1, 0, 100), hold(2, 10, 60), reversal(3), refund];
    let not_found = || refused("posting_not_found");
    assert_eq!(answers(&mut run, vec![one_list]), [POSTED, POSTED, not_found(), not_found()]);
    assert_eq!(answers(&mut run, vec![vec![reversal(6)]]), [not_found()]);
}

/// Else a transfer of the freed money would be noted before the hold's end, and the past would show it spent twice.
#[test]
fn a_hold_ends_no_earlier_than_what_happened_before_and_nothing_after_it_is_earlier() {
    let mut run = Run::new();
    run.turn(&Turn::Wait(10));
    answers(&mut run, vec![vec![fund(1, 0, 100), hold(2, 60, 500), hold(3, 40, 20)]]);
    run.turn(&Turn::Wait(90));
    run.turn(&Turn::Sweep);
    run.turn(&Turn::Wait(-95));
    answers(
        &mut run,
        vec![vec![order(4, Deed::Release { hold: 2 }), order(5, Deed::Reverse { posting: 1 })]],
    );
    let of = |id: Id| -> Hold { run.store.holds[&translate::id(id)] };
    let later = Some(translate::at(100));
    assert_eq!((of(3).closed_at, of(2).closed_at), (later, later));
    let spent: Vec<TransactionId> = run
        .store
        .entries
        .iter()
        .filter(|(.., at)| Some(*at) == later)
        .map(|(_, posting, _)| *posting)
        .collect();
    assert_eq!(spent, [translate::id(5); 2]);
}
