//! Taking back: reversals and refunds.

use super::*;

fn reverse(earlier: &Posting) -> Posting {
    posting(PostingType::Reversal, Action::Reverse { posting: earlier.id() })
}

fn refund(earlier: &Posting, from: Vec<Share>) -> Posting {
    posting(PostingType::Refund, Action::Refund { posting: earlier.id(), from })
}

fn plain(code: RefusalCode) -> Result<(), Refused> {
    Err((code, None, None))
}

#[test]
fn a_reversal_puts_everything_back_once() {
    let (ada, bola, fees) = (account(100, 0), account(0, 0), bank(0));
    let mut book = book(&[&ada, &bola, &fees]);
    // Bola passes on what comes in: taken back in the same order, there would be nothing to take.
    let paid = transfer(vec![leg(&ada, &bola, 50), leg(&bola, &fees, 50), leg(&ada, &fees, 5)]);
    let list = [&paid, &reverse(&paid), &reverse(&paid), &refund(&paid, vec![share(&fees, 1)])];
    let several_payers = plain(RefusalCode::NotReturnable);
    assert_eq!(
        outcomes(&mut book, &list),
        [Ok(()), Ok(()), plain(RefusalCode::AlreadyReturned), several_payers]
    );
    let all = [&ada, &bola, &fees].map(|account| stands(&book, account).0);
    assert_eq!(all, [100, 0, 0]);
    assert_eq!(book.account(bola.id).unwrap().standing.entries, 4);
}

#[test]
fn refunds_together_are_no_more_than_was_taken() {
    let (ada, bola, fees) = (account(100, 0), account(0, 0), bank(0));
    let mut book = book(&[&ada, &bola, &fees]);
    let paid = transfer(vec![leg(&ada, &bola, 50), leg(&ada, &fees, 10)]);
    let part = refund(&paid, vec![share(&bola, 20), share(&fees, 10)]);
    let too_much = refund(&paid, vec![share(&bola, 31)]);
    let rest = refund(&paid, vec![share(&bola, 30)]);
    let one_more = refund(&paid, vec![share(&fees, 1)]);
    let exceeded = Err((RefusalCode::RefundExceeded, ada.wallet(), Some(1)));
    let all_back = Err((RefusalCode::AlreadyReturned, ada.wallet(), Some(1)));
    let list = [&paid, &part, &too_much, &reverse(&paid), &rest, &one_more, &reverse(&paid)];
    let returned = plain(RefusalCode::AlreadyReturned);
    assert_eq!(outcomes(&mut book, &list), [Ok(()), Ok(()), exceeded, returned, Ok(()), all_back, returned]);
    let all = [&ada, &bola, &fees].map(|account| stands(&book, account).0);
    assert_eq!(all, [100, 0, 0]);
}

#[test]
fn after_a_reversal_nothing_is_left_to_refund() {
    let (ada, bola) = (account(100, 0), account(1_000, 0));
    let paid = transfer(vec![leg(&ada, &bola, 50)]);
    let back = refund(&paid, vec![share(&bola, 7)]);
    let returned = Err((RefusalCode::AlreadyReturned, ada.wallet(), Some(7)));
    assert_eq!(
        outcomes(&mut book(&[&ada, &bola]), &[&paid, &reverse(&paid), &back]),
        [Ok(()), Ok(()), returned]
    );
}

#[test]
fn what_took_something_back_stays_and_what_moved_nothing_cannot_be_taken_back() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let (paid, other) = (transfer(vec![leg(&ada, &bola, 5)]), transfer(vec![leg(&ada, &bola, 5)]));
    let (undone, back) = (reverse(&paid), refund(&other, vec![share(&bola, 1)]));
    let refused = transfer(vec![leg(&ada, &bola, 1_000)]);
    let never = transfer(vec![leg(&ada, &bola, 1)]);
    let mut book = book(&[&ada, &bola]);
    let list = [&paid, &other, &undone, &back, &refused];
    assert!(
        outcomes(&mut book, &[&list[..], &[&reverse(&undone)], &[&reverse(&back)]].concat())[5..]
            .iter()
            .all(|outcome| *outcome == plain(RefusalCode::NotReturnable))
    );
    let not_found = plain(RefusalCode::PostingNotFound);
    let list = [&reverse(&refused), &reverse(&never), &refund(&never, vec![share(&bola, 1)])];
    assert_eq!(outcomes(&mut book, &list), [not_found; 3]);
}

#[test]
fn who_gives_back_must_have_it_and_must_take_part() {
    let (ada, bola) = (account(100, 0), account(0, 0));
    let eve = Account { status: AccountStatus::Frozen(Freeze::Out), ..account(50, 0) };
    let mut book = book(&[&ada, &bola, &eve]);
    let paid = transfer(vec![leg(&ada, &bola, 50)]);
    let spent = transfer(vec![leg(&bola, &eve, 20)]);
    let lacks = |missing| Err((RefusalCode::InsufficientFunds, bola.wallet(), Some(missing)));
    let frozen = Err((RefusalCode::WalletFrozen, eve.wallet(), None));
    let from_payer = Err((RefusalCode::SameAccount, ada.wallet(), None));
    let list = [
        &paid,
        &spent,
        &reverse(&paid),
        &refund(&paid, vec![share(&bola, 31)]),
        &refund(&paid, vec![share(&eve, 1)]),
        &refund(&paid, vec![share(&bola, 1), share(&ada, 1)]),
        &reverse(&spent),
        &refund(&paid, vec![share(&bola, 30)]),
    ];
    let expected = [Ok(()), Ok(()), lacks(20), lacks(1), frozen, from_payer, frozen, Ok(())];
    assert_eq!(outcomes(&mut book, &list), expected);
    assert_eq!([&ada, &bola, &eve].map(|account| stands(&book, account).0), [80, 0, 70]);
}

#[test]
fn a_payer_who_may_take_no_money_gets_none_back() {
    let bounds = Bounds { ceiling: Some(100), ..Bounds::ZERO };
    let (ada, bola) = (Account { bounds, ..account(100, 0) }, account(100, 0));
    let mut book = book(&[&ada, &bola]);
    let paid = transfer(vec![leg(&ada, &bola, 50)]);
    let gift = transfer(vec![leg(&bola, &ada, 30)]);
    let full = |missing| Err((RefusalCode::CeilingExceeded, ada.wallet(), Some(missing)));
    let list = [
        &paid,
        &gift,
        &reverse(&paid),
        &refund(&paid, vec![share(&bola, 21)]),
        &refund(&paid, vec![share(&bola, 20)]),
    ];
    assert_eq!(outcomes(&mut book, &list), [Ok(()), Ok(()), full(30), full(1), Ok(())]);
}

#[test]
fn what_was_paid_goes_back_past_an_intake_ceiling() {
    let bounds = Bounds { intake_ceiling: Some(100), ..Bounds::ZERO };
    let (ada, bola) = (Account { bounds, ..account(100, 0) }, account(100, 0));
    let mut book = book(&[&ada, &bola]);
    let (one, other) = (transfer(vec![leg(&ada, &bola, 50)]), transfer(vec![leg(&ada, &bola, 20)]));
    let gift = transfer(vec![leg(&bola, &ada, 70)]);
    let full = Err((RefusalCode::CeilingExceeded, ada.wallet(), Some(1)));
    let list = [
        &one,
        &other,
        &gift,
        &transfer(vec![leg(&bola, &ada, 1)]),
        &reverse(&one),
        &refund(&other, vec![share(&bola, 20)]),
    ];
    assert_eq!(outcomes(&mut book, &list), [Ok(()), Ok(()), Ok(()), full, Ok(()), Ok(())]);
    assert_eq!(stands(&book, &ada).0, 170);
}

#[test]
fn an_exchange_is_reversed_and_not_refunded() {
    let (naira, dollars) = (account(100, 0), Account { currency: Currency::USD, ..account(0, 0) });
    let position = |currency| Account { currency, ..bank(0) };
    let (bought, sold) = (position(Currency::NGN), position(Currency::USD));
    let got = Leg { debit: of(&sold), credit: of(&dollars), amount: Money::new(1, Currency::USD) };
    let exchange = transfer(vec![leg(&naira, &bought, 100), got]);
    let mut book = book(&[&naira, &dollars, &bought, &sold]);
    let part = refund(&exchange, vec![share(&bought, 1)]);
    let outcomes = outcomes(&mut book, &[&exchange, &part, &reverse(&exchange)]);
    assert_eq!(outcomes, [Ok(()), plain(RefusalCode::NotReturnable), Ok(())]);
    let all = [&naira, &dollars, &bought, &sold].map(|account| stands(&book, account).0);
    assert_eq!(all, [100, 0, 0, 0]);
}

/// Money can go round within a posting, and more can be taken than fits into a number.
#[test]
fn what_goes_back_stays_within_64_bits() {
    let (ada, bola) = (account(i64::MAX, 0), account(0, 0));
    let once_round = || [leg(&ada, &bola, i64::MAX), leg(&bola, &ada, i64::MAX)];
    let round = |times| std::iter::repeat_with(once_round).take(times).flatten().collect();
    let (once, thrice) = (transfer(round(1)), transfer(round(3)));
    let not_returnable = plain(RefusalCode::NotReturnable);
    let list = [&once, &thrice, &reverse(&once), &reverse(&thrice)];
    assert_eq!(outcomes(&mut book(&[&ada, &bola]), &list), [Ok(()), Ok(()), Ok(()), not_returnable]);
    // By one payer, with what comes back from elsewhere in between.
    let deep = bank(0);
    let paid = transfer(vec![leg(&ada, &deep, i64::MAX)]);
    let filled = transfer(vec![leg(&deep, &ada, i64::MAX)]);
    let endless = refund(&paid, vec![share(&deep, i64::MAX); 2]);
    let exceeded = Err((RefusalCode::RefundExceeded, ada.wallet(), Some(i64::MAX)));
    let over = Err((RefusalCode::Overflow, ada.wallet(), None));
    let list = [&paid, &filled, &endless, &refund(&paid, vec![share(&deep, 1)])];
    assert_eq!(outcomes(&mut book(&[&ada, &deep]), &list), [Ok(()), Ok(()), exceeded, over]);
}
