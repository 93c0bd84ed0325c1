//! The rules one by one; what must hold whatever is asked is in `batch/tests`.

mod holds;
mod returns;

use std::collections::HashMap;

use common_utils::{
    ids::{TransactionId, UserId, WalletId},
    money::{Currency, Money},
};

use super::*;
use crate::ledger::{
    Account, AccountRef, AccountStatus, Bounds, Freeze, Leg, MAX_LEGS, Outcome, PlatformAccount, PlatformIds,
    PostingResult, PostingType, RefusalCode, Share, Standing, batch::decide_all,
};

fn noon() -> DateTime<Utc> {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn account(posted: i64, held: i64) -> Account {
    Account {
        id: AccountId::new(),
        owner: Some(UserId::new()),
        currency: Currency::NGN,
        status: AccountStatus::Active,
        bounds: Bounds::ZERO,
        standing: Standing { posted, held, entries: 0, updated_at: noon() },
    }
}

fn bank(posted: i64) -> Account {
    Account { owner: None, bounds: Bounds::NONE, ..account(posted, 0) }
}

fn book(accounts: &[&Account]) -> Book {
    let platform = accounts.iter().filter(|account| account.owner.is_none());
    let ids: PlatformIds =
        platform.map(|account| ((PlatformAccount::Equity, account.currency), account.id)).collect();
    Book::new(accounts.iter().map(|account| (*account).clone()), ids)
}

fn of(account: &Account) -> AccountRef {
    account.wallet().map_or(AccountRef::Platform(PlatformAccount::Equity), AccountRef::Wallet)
}

fn leg(debit: &Account, credit: &Account, amount: i64) -> Leg {
    Leg { debit: of(debit), credit: of(credit), amount: Money::new(amount, Currency::NGN) }
}

type Refused = (RefusalCode, Option<WalletId>, Option<i64>);

fn decided(accounts: &[&Account], legs: Vec<Leg>) -> Result<Vec<NewEntry>, Refused> {
    let posting = Posting::new(TransactionId::new(), PostingType::Transfer, "", legs).unwrap();
    decide(&book(accounts), &posting, noon())
        .map(|movement| movement.entries)
        .map_err(|refusal| (refusal.code, refusal.wallet_id, refusal.missing))
}

/// What becomes of a list, posting by posting.
fn outcomes(book: &mut Book, list: &[&Posting]) -> Vec<Result<(), Refused>> {
    let list: Vec<Posting> = list.iter().map(|posting| (*posting).clone()).collect();
    let results = decide_all(book, HashMap::new(), &list, noon()).results;
    let outcome = |result: &PostingResult| match result.outcome {
        Outcome::Posted => Ok(()),
        Outcome::Refused(refusal) => Err((refusal.code, refusal.wallet_id, refusal.missing)),
    };
    results.iter().map(outcome).collect()
}

fn posting(kind: PostingType, action: Action) -> Posting {
    Posting::of(TransactionId::new(), kind, "", action).unwrap()
}

fn transfer(legs: Vec<Leg>) -> Posting {
    posting(PostingType::Transfer, Action::Move(legs))
}

fn share(account: &Account, amount: i64) -> Share {
    Share { account: of(account), amount: Money::new(amount, account.currency) }
}

/// What is posted to the account, and of it held.
fn stands(book: &Book, account: &Account) -> (i64, i64) {
    let standing = book.account(account.id).unwrap().standing;
    (standing.posted, standing.held)
}

#[test]
fn money_moves_from_the_debited_to_the_credited_account() {
    let (ada, bola) = (account(100, 0), account(5, 0));
    let entries = decided(&[&ada, &bola], vec![leg(&ada, &bola, 30)]).unwrap();
    let entry = |account: &Account, direction, balance_after| NewEntry {
        account: account.id,
        sequence: 1,
        direction,
        amount: 30,
        balance_after,
    };
    assert_eq!(entries, [entry(&ada, Direction::Debit, 70), entry(&bola, Direction::Credit, 35)]);
}

#[test]
fn what_is_held_cannot_be_spent() {
    let (ada, bola) = (account(100, 60), account(0, 0));
    assert!(decided(&[&ada, &bola], vec![leg(&ada, &bola, 40)]).is_ok());
    let refused = decided(&[&ada, &bola], vec![leg(&ada, &bola, 41)]);
    assert_eq!(refused, Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(1))));
}

#[test]
fn missing_covers_all_legs_of_the_posting() {
    let (ada, bola, fees) = (account(100, 0), account(0, 0), bank(0));
    let refused = decided(&[&ada, &bola, &fees], vec![leg(&ada, &bola, 150), leg(&ada, &fees, 10)]);
    assert_eq!(refused, Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(60))));
    // What comes back in between counts.
    let legs = vec![leg(&ada, &bola, 150), leg(&bola, &ada, 50), leg(&ada, &fees, 100)];
    assert_eq!(decided(&[&ada, &bola, &fees], legs).unwrap_err().2, Some(100));
}

#[test]
fn every_leg_stands_on_those_before_it() {
    let (ada, bola, eve) = (account(0, 0), account(0, 0), bank(0));
    let accounts = [&ada, &bola, &eve];
    let entries =
        decided(&accounts, vec![leg(&eve, &ada, 10), leg(&ada, &bola, 10), leg(&eve, &ada, 1)]).unwrap();
    let of_ada: Vec<_> = entries
        .iter()
        .filter(|entry| entry.account == ada.id)
        .map(|entry| (entry.sequence, entry.balance_after))
        .collect();
    assert_eq!(of_ada, [(1, 10), (2, 0), (3, 1)]);
    let too_early = decided(&accounts, vec![leg(&ada, &bola, 10), leg(&eve, &ada, 10)]);
    assert_eq!(too_early, Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(10))));
}

#[test]
fn frozen_and_closed_accounts_take_no_part() {
    let bola = account(100, 0);
    for (status, code, outgoing, incoming) in [
        (AccountStatus::Frozen(Freeze::In), RefusalCode::WalletFrozen, false, true),
        (AccountStatus::Frozen(Freeze::Out), RefusalCode::WalletFrozen, true, false),
        (AccountStatus::Frozen(Freeze::Both), RefusalCode::WalletFrozen, true, true),
        (AccountStatus::Closed, RefusalCode::WalletClosed, true, true),
    ] {
        let ada = Account { status, ..account(100, 0) };
        let refused = |shut: bool| shut.then_some((code, ada.wallet(), None));
        assert_eq!(decided(&[&ada, &bola], vec![leg(&ada, &bola, 1)]).err(), refused(outgoing));
        assert_eq!(decided(&[&ada, &bola], vec![leg(&bola, &ada, 1)]).err(), refused(incoming));
    }
}

#[test]
fn that_an_account_takes_no_part_is_said_before_what_another_lacks() {
    let (ada, bola) = (account(0, 0), account(0, 0));
    let frozen = Account { status: AccountStatus::Frozen(Freeze::In), ..account(0, 0) };
    let legs = vec![leg(&ada, &bola, 1), leg(&bola, &frozen, 1)];
    let refused = Err((RefusalCode::WalletFrozen, frozen.wallet(), None));
    assert_eq!(decided(&[&ada, &bola, &frozen], legs), refused);
}

#[test]
fn a_floor_below_zero_is_credit_and_one_above_it_a_reserve() {
    let bola = account(0, 0);
    for (floor, posted, held, most) in
        [(-100, 0, 0, 100), (-100, -60, 0, 40), (-100, 50, 30, 120), (20, 100, 50, 30)]
    {
        let bounds = Bounds { floor: Some(floor), ..Bounds::ZERO };
        let ada = Account { bounds, ..account(posted, held) };
        assert!(decided(&[&ada, &bola], vec![leg(&ada, &bola, most)]).is_ok());
        let refused = decided(&[&ada, &bola], vec![leg(&ada, &bola, most + 7)]);
        assert_eq!(refused, Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(7))));
    }
}

#[test]
fn nothing_rises_above_its_ceiling_not_even_for_a_moment() {
    let bola = account(i64::MAX, 0);
    for (ceiling, posted) in [(100, 40), (0, -60), (i64::MAX, i64::MAX - 60)] {
        let bounds = Bounds { floor: Some(i64::MIN), ceiling: Some(ceiling), ..Bounds::ZERO };
        let ada = Account { bounds, ..account(posted, 0) };
        assert!(decided(&[&ada, &bola], vec![leg(&bola, &ada, 60)]).is_ok());
        let refused = decided(&[&ada, &bola], vec![leg(&bola, &ada, 61), leg(&ada, &bola, 50)]);
        let code = if ceiling == i64::MAX { RefusalCode::Overflow } else { RefusalCode::CeilingExceeded };
        assert_eq!(refused, Err((code, ada.wallet(), (ceiling != i64::MAX).then_some(1))));
    }
    // Above a ceiling that was lowered, money may still leave.
    let bounds = Bounds { ceiling: Some(10), ..Bounds::ZERO };
    let full = Account { bounds, ..account(100, 0) };
    let poor = account(0, 0);
    assert!(decided(&[&full, &poor], vec![leg(&full, &poor, 1)]).is_ok());
    let refused = decided(&[&full, &poor], vec![leg(&full, &poor, 1), leg(&poor, &full, 1)]);
    assert_eq!(refused, Err((RefusalCode::CeilingExceeded, full.wallet(), Some(90))));
}

#[test]
fn an_intake_ceiling_below_the_balance_keeps_new_money_out_and_nothing_else() {
    let low = Bounds { intake_ceiling: Some(100), ..Bounds::ZERO };
    let bola = account(1_000, 0);
    let above = Account { bounds: low, ..account(250, 0) };
    let below = Account { bounds: low, ..account(40, 0) };
    assert!(decided(&[&above, &bola], vec![leg(&above, &bola, 250)]).is_ok());
    let refused = decided(&[&above, &bola], vec![leg(&bola, &above, 1)]);
    assert_eq!(refused, Err((RefusalCode::CeilingExceeded, above.wallet(), Some(151))));
    // To the last unit, and no further.
    assert!(decided(&[&below, &bola], vec![leg(&bola, &below, 60)]).is_ok());
    let refused = decided(&[&below, &bola], vec![leg(&bola, &below, 61)]);
    assert_eq!(refused, Err((RefusalCode::CeilingExceeded, below.wallet(), Some(1))));
    // The ceiling of the two that is lower counts.
    let bounds = Bounds { ceiling: Some(90), ..low };
    let both = Account { bounds, ..account(40, 0) };
    let refused = decided(&[&both, &bola], vec![leg(&bola, &both, 60)]);
    assert_eq!(refused, Err((RefusalCode::CeilingExceeded, both.wallet(), Some(10))));
}

#[test]
fn an_adjustment_passes_an_intake_ceiling_but_no_other_bound() {
    let adjust = |bounds| {
        let (ada, bola) = (Account { bounds, ..account(40, 0) }, account(1_000, 0));
        let legs = vec![leg(&bola, &ada, 61)];
        let posting = Posting::new(TransactionId::new(), PostingType::Adjustment, "", legs).unwrap();
        decide(&book(&[&ada, &bola]), &posting, noon()).map(|_| ()).map_err(|refusal| refusal.code)
    };
    assert_eq!(adjust(Bounds { intake_ceiling: Some(100), ..Bounds::ZERO }), Ok(()));
    let bounds = Bounds { ceiling: Some(100), intake_ceiling: None, ..Bounds::ZERO };
    assert_eq!(adjust(bounds), Err(RefusalCode::CeilingExceeded));
}

#[test]
fn an_exchange_balances_in_each_currency_on_the_platforms_positions() {
    let (naira, dollars) = (account(160_000, 0), Account { currency: Currency::USD, ..account(0, 0) });
    let position = |currency| Account { currency, ..bank(0) };
    let (bought, sold) = (position(Currency::NGN), position(Currency::USD));
    let paid = leg(&naira, &bought, 160_000);
    let got = Leg { debit: of(&sold), credit: of(&dollars), amount: Money::new(100, Currency::USD) };
    let accounts = [&naira, &dollars, &bought, &sold];
    let entries = decided(&accounts, vec![paid.clone(), got.clone()]).unwrap();
    let after: Vec<i64> = entries.iter().map(|entry| entry.balance_after).collect();
    assert_eq!(after, [0, 160_000, -100, 100]);
    // Nobody is paid in what they do not hold.
    let mixed = Leg { amount: Money::new(100, Currency::NGN), ..got };
    let refused = decided(&accounts, vec![paid, mixed]);
    assert_eq!(refused, Err((RefusalCode::CurrencyMismatch, dollars.wallet(), None)));
}

#[test]
fn nobody_pays_themselves_and_a_list_of_legs_has_its_bounds() {
    let (ada, bola) = (account(1_000, 0), account(0, 0));
    let malformed = |legs| {
        let errors = Posting::new(TransactionId::new(), PostingType::Transfer, "", legs).unwrap_err();
        errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
    };
    assert_eq!(malformed(vec![leg(&ada, &ada, 1)]), ["legs[0].credit"]);
    assert_eq!(malformed(vec![leg(&ada, &bola, 0)]), ["legs[0].amount.amount"]);
    assert_eq!(malformed(vec![leg(&ada, &bola, i64::MIN)]), ["legs[0].amount.amount"]);
    for count in [0, MAX_LEGS + 1, 10 * MAX_LEGS] {
        assert_eq!(malformed(vec![leg(&ada, &bola, 1); count]), ["legs"], "{count}");
    }
    let entries = decided(&[&ada, &bola], vec![leg(&ada, &bola, 2); MAX_LEGS]).unwrap();
    assert_eq!(entries.len(), 2 * MAX_LEGS);
    assert_eq!((entries[999].sequence, entries[999].balance_after), (500, 1_000));
    let refused = decided(&[&ada, &bola], vec![leg(&ada, &bola, 3); MAX_LEGS]);
    assert_eq!(refused, Err((RefusalCode::InsufficientFunds, ada.wallet(), Some(500))));
}

#[test]
fn unknown_accounts_and_other_currencies_are_refused() {
    let (ada, nobody) = (account(100, 0), account(0, 0));
    let refused = decided(&[&ada], vec![leg(&ada, &nobody, 1)]);
    assert_eq!(refused, Err((RefusalCode::AccountNotFound, nobody.wallet(), None)));
    let dollars = Account { currency: Currency::USD, ..account(100, 0) };
    let refused = decided(&[&ada, &dollars], vec![leg(&ada, &dollars, 1)]);
    assert_eq!(refused, Err((RefusalCode::CurrencyMismatch, dollars.wallet(), None)));
}

#[test]
fn a_wallets_reference_never_leads_to_the_platform() {
    let (ada, equity) = (account(0, 0), bank(0));
    let disguised = AccountRef::Wallet(equity.id.uuid().into());
    let leg = Leg { debit: disguised, credit: of(&ada), amount: Money::new(1, Currency::NGN) };
    assert_eq!(decided(&[&ada, &equity], vec![leg]).unwrap_err().0, RefusalCode::AccountNotFound);
}

#[test]
fn balances_stay_within_64_bits() {
    let (full, deep, ada) = (account(i64::MAX, 0), bank(i64::MIN), account(i64::MAX, 0));
    assert_eq!(
        decided(&[&full, &ada], vec![leg(&ada, &full, 1)]),
        Err((RefusalCode::Overflow, full.wallet(), None))
    );
    assert_eq!(decided(&[&deep, &ada], vec![leg(&deep, &ada, 1)]), Err((RefusalCode::Overflow, None, None)));
    let poor = account(0, 0);
    let legs = (0..100).map(|_| leg(&poor, &full, i64::MAX)).collect();
    assert_eq!(
        decided(&[&poor, &full], legs),
        Err((RefusalCode::InsufficientFunds, poor.wallet(), Some(i64::MAX)))
    );
}

#[test]
fn times_never_go_back_on_an_account() {
    let later = noon() + chrono::TimeDelta::hours(1);
    let (mut ada, bola) = (account(100, 0), account(0, 0));
    ada.standing.updated_at = later;
    let legs = vec![leg(&ada, &bola, 1)];
    let posting = Posting::new(TransactionId::new(), PostingType::Transfer, "", legs).unwrap();
    let mut book = book(&[&ada, &bola]);
    let movement = decide(&book, &posting, noon()).unwrap();
    assert_eq!(movement.at, later);
    book.put(movement.change);
    assert_eq!(book.account(bola.id).unwrap().standing.updated_at, later);
}
