//! Holds: placed, captured, released, over.

use chrono::TimeDelta;

use super::*;
use crate::ledger::{
    Capture,
    hold::{Hold, HoldStatus},
};

fn hold(account: &Account, amount: i64) -> Posting {
    until(account, amount, noon() + TimeDelta::hours(1))
}

fn until(account: &Account, amount: i64, expires_at: DateTime<Utc>) -> Posting {
    let amount = Money::new(amount, account.currency);
    posting(PostingType::Hold, Action::Hold { account: of(account), amount, expires_at })
}

fn capture(hold: &Posting, to: Vec<Share>, release_rest: bool) -> Posting {
    let to = Capture::Part { to, release_rest };
    posting(PostingType::Withdrawal, Action::Capture { hold: hold.id(), to })
}

fn capture_all(hold: &Posting, to: &Account) -> Posting {
    let to = Capture::Whole { to: of(to), currency: Currency::NGN };
    posting(PostingType::Withdrawal, Action::Capture { hold: hold.id(), to })
}

fn release(hold: &Posting) -> Posting {
    posting(PostingType::Release, Action::Release { hold: hold.id() })
}

fn state(book: &Book, hold: &Posting) -> (HoldStatus, i64) {
    let Hold { status, captured, .. } = *book.hold(hold.id()).unwrap();
    (status, captured)
}

#[test]
fn what_is_set_aside_is_no_longer_available() {
    let (ada, bola) = (account(100, 30), account(0, 0));
    let mut book = book(&[&ada, &bola]);
    let (whole, one_more) = (hold(&ada, 70), hold(&ada, 5));
    let pay = transfer(vec![leg(&ada, &bola, 1)]);
    let lacks = |missing| Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(missing)));
    assert_eq!(
        outcomes(&mut book, &[&hold(&ada, 71), &whole, &one_more, &pay]),
        [lacks(1), Ok(()), lacks(5), lacks(1)]
    );
    assert_eq!((stands(&book, &ada), stands(&book, &bola)), ((100, 100), (0, 0)));
    // It has moved nothing: there are no entries.
    assert_eq!(book.account(ada.id).unwrap().standing.entries, 0);
}

#[test]
fn a_hold_is_refused_where_money_may_not_leave() {
    for (status, code) in [
        (AccountStatus::Frozen(Freeze::Out), Some(RefusalCode::WalletFrozen)),
        (AccountStatus::Frozen(Freeze::Both), Some(RefusalCode::WalletFrozen)),
        (AccountStatus::Frozen(Freeze::In), None),
        (AccountStatus::Closed, Some(RefusalCode::WalletClosed)),
    ] {
        let ada = Account { status, ..account(100, 0) };
        let expected = code.map_or(Ok(()), |code| Err((code, ada.wallet(), None)));
        assert_eq!(outcomes(&mut book(&[&ada]), &[&hold(&ada, 1)]), [expected]);
    }
    let reserve = Account { bounds: Bounds { floor: Some(100), ..Bounds::ZERO }, ..account(100, 0) };
    let lacks = Err((RefusalCode::InsufficientFunds, reserve.wallet(), Some(1)));
    assert_eq!(outcomes(&mut book(&[&reserve]), &[&hold(&reserve, 1)]), [lacks]);
    let nobody = account(100, 0);
    let unknown = Err((RefusalCode::AccountNotFound, nobody.wallet(), None));
    assert_eq!(outcomes(&mut book(&[]), &[&hold(&nobody, 1)]), [unknown]);
    let dollars = Account { currency: Currency::USD, ..account(100, 0) };
    let in_naira = hold(&Account { currency: Currency::NGN, ..dollars.clone() }, 1);
    let other = Err((RefusalCode::CurrencyMismatch, dollars.wallet(), None));
    assert_eq!(outcomes(&mut book(&[&dollars]), &[&in_naira]), [other]);
}

#[test]
fn holds_stay_within_64_bits() {
    let ada = account(i64::MAX, i64::MAX - 1);
    let deep = Account { bounds: Bounds { floor: Some(i64::MIN), ..Bounds::ZERO }, ..account(0, i64::MAX) };
    let mut book = book(&[&ada, &deep]);
    let overflows = Err((RefusalCode::Overflow, deep.wallet(), None));
    assert_eq!(outcomes(&mut book, &[&hold(&ada, 1), &hold(&deep, 1)]), [Ok(()), overflows]);
    let poor = account(0, 0);
    let lacks = Err((RefusalCode::InsufficientFunds, poor.wallet(), Some(i64::MAX)));
    assert_eq!(outcomes(&mut super::book(&[&poor]), &[&hold(&poor, i64::MAX)]), [lacks]);
}

#[test]
fn a_hold_is_captured_part_by_part_up_to_its_amount() {
    let (ada, bola, fees) = (account(100, 0), account(0, 0), bank(0));
    let mut book = book(&[&ada, &bola, &fees]);
    let held = hold(&ada, 100);
    let first = capture(&held, vec![share(&bola, 30), share(&fees, 10)], false);
    let too_much = capture(&held, vec![share(&bola, 41), share(&fees, 20)], false);
    let last = capture(&held, vec![share(&bola, 60)], false);
    let exceeded = |missing| Err((RefusalCode::HoldExceeded, ada.wallet(), Some(missing)));
    assert_eq!(outcomes(&mut book, &[&held, &first, &too_much]), [Ok(()), Ok(()), exceeded(1)]);
    assert_eq!((stands(&book, &ada), state(&book, &held)), ((60, 60), (HoldStatus::Held, 40)));
    assert_eq!(outcomes(&mut book, &[&last]), [Ok(())]);
    // Nothing is left of it, so it is over.
    assert_eq!((stands(&book, &ada), state(&book, &held)), ((0, 0), (HoldStatus::Captured, 100)));
    assert_eq!((stands(&book, &bola), stands(&book, &fees)), ((90, 0), (10, 0)));
    let closed = Err((RefusalCode::HoldClosed, ada.wallet(), None));
    assert_eq!(outcomes(&mut book, &[&capture_all(&held, &bola), &release(&held)]), [closed, closed]);
}

#[test]
fn shares_that_do_not_fit_into_64_bits_together_are_too_much() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let held = hold(&ada, 100);
    let endless = capture(&held, vec![share(&bola, i64::MAX); 3], false);
    let exceeded = Err((RefusalCode::HoldExceeded, ada.wallet(), Some(i64::MAX)));
    assert_eq!(outcomes(&mut book(&[&ada, &bola]), &[&held, &endless]), [Ok(()), exceeded]);
}

#[test]
fn a_capture_releases_the_rest_if_it_is_told_to() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let mut book = book(&[&ada, &bola]);
    let held = hold(&ada, 100);
    let last = capture(&held, vec![share(&bola, 60)], true);
    let spend = transfer(vec![leg(&ada, &bola, 40)]);
    assert_eq!(outcomes(&mut book, &[&held, &last, &spend]), [Ok(()), Ok(()), Ok(())]);
    assert_eq!((stands(&book, &ada), state(&book, &held)), ((0, 0), (HoldStatus::Captured, 60)));
}

#[test]
fn what_is_released_is_available_again_frozen_or_not() {
    let ada = account(100, 0);
    let mut book = book(&[&ada]);
    let held = hold(&ada, 100);
    assert_eq!(outcomes(&mut book, &[&held]), [Ok(())]);
    let frozen =
        Account { status: AccountStatus::Frozen(Freeze::Both), ..book.account(ada.id).unwrap().clone() };
    let mut book = super::book(&[&frozen]).with_holds([*book.hold(held.id()).unwrap()]);
    let refused = Err((RefusalCode::WalletFrozen, ada.wallet(), None));
    let to_itself = capture(&held, vec![share(&ada, 1)], false);
    let itself = Err((RefusalCode::SameAccount, ada.wallet(), None));
    assert_eq!(
        outcomes(&mut book, &[&to_itself, &release(&held), &hold(&ada, 1)]),
        [itself, Ok(()), refused]
    );
    assert_eq!((stands(&book, &frozen), state(&book, &held)), ((100, 0), (HoldStatus::Released, 0)));
}

#[test]
fn who_receives_a_capture_must_be_able_to() {
    let (ada, fees) = (account(100, 0), bank(0));
    let frozen = Account { status: AccountStatus::Frozen(Freeze::In), ..account(0, 0) };
    let full = Account { bounds: Bounds { ceiling: Some(10), ..Bounds::ZERO }, ..account(5, 0) };
    let dollars = Account { currency: Currency::USD, ..account(0, 0) };
    let nobody = account(0, 0);
    let mut book = book(&[&ada, &fees, &frozen, &full, &dollars]);
    let held = hold(&ada, 100);
    let to = |account: &Account| capture(&held, vec![share(&fees, 1), share(account, 20)], true);
    let refused = |code, account: &Account, missing| Err((code, account.wallet(), missing));
    let list = [&held, &to(&frozen), &to(&full), &to(&dollars), &to(&nobody)];
    assert_eq!(
        outcomes(&mut book, &list),
        [
            Ok(()),
            refused(RefusalCode::WalletFrozen, &frozen, None),
            refused(RefusalCode::CeilingExceeded, &full, Some(15)),
            // The share is in dollars, and the hold is not.
            refused(RefusalCode::CurrencyMismatch, &ada, None),
            refused(RefusalCode::AccountNotFound, &nobody, None),
        ]
    );
    // A refusal leaves the hold as it was.
    assert_eq!((stands(&book, &ada), state(&book, &held)), ((100, 100), (HoldStatus::Held, 0)));
}

#[test]
fn a_hold_is_over_from_its_last_moment_on_whoever_looks_first() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let over = until(&ada, 10, noon());
    let expired = Err((RefusalCode::HoldExpired, ada.wallet(), None));
    assert_eq!(outcomes(&mut book(&[&ada]), &[&over]), [expired]);

    let lasting = until(&ada, 100, noon() + TimeDelta::microseconds(1));
    let mut book = book(&[&ada, &bola]);
    assert_eq!(
        outcomes(&mut book, &[&lasting, &capture(&lasting, vec![share(&bola, 10)], false)]),
        [Ok(()), Ok(())]
    );
    let later = noon() + TimeDelta::microseconds(1);
    let list = [capture_all(&lasting, &bola), release(&lasting), transfer(vec![leg(&ada, &bola, 90)])];
    let batch = decide_all(&mut book, HashMap::new(), &list, later);
    let codes: Vec<_> =
        batch.results.iter().map(|result| result.outcome.refusal().map(|refusal| refusal.code)).collect();
    // What it had set aside is spent by the third.
    assert_eq!(codes, [Some(RefusalCode::HoldExpired), Some(RefusalCode::HoldExpired), None]);
    assert_eq!((batch.expired, state(&book, &lasting)), (1, (HoldStatus::Expired, 10)));
    assert_eq!(book.hold(lasting.id()).unwrap().closed_at, Some(later));
    assert_eq!(stands(&book, &ada), (0, 0));
}

#[test]
fn a_hold_that_nobody_placed_is_not_found() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let never = hold(&ada, 1);
    let moved = transfer(vec![leg(&ada, &bola, 1)]);
    let not_found = Err((RefusalCode::HoldNotFound, None, None));
    let list = [&moved, &release(&never), &capture_all(&never, &bola), &release(&moved)];
    assert_eq!(outcomes(&mut book(&[&ada, &bola]), &list), [Ok(()), not_found, not_found, not_found]);
}
