//! The rules one by one; what must hold whatever is asked is in `batch_tests.rs`.

use common_utils::ids::{TransactionId, UserId, WalletId};
use common_utils::money::{Currency, Money};

use super::*;
use crate::ledger::{
    Account, AccountRef, AccountStatus, Bounds, Freeze, Leg, PlatformAccount, PlatformIds, PostingType,
    RefusalCode, Standing,
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

fn decided(
    accounts: &[&Account],
    legs: Vec<Leg>,
) -> Result<Vec<NewEntry>, (RefusalCode, Option<WalletId>, Option<i64>)> {
    let posting = Posting::new(TransactionId::new(), PostingType::Transfer, "", legs).unwrap();
    decide(&book(accounts), &posting, noon())
        .map(|movement| movement.entries)
        .map_err(|refusal| (refusal.code, refusal.wallet_id, refusal.missing))
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
    for (status, code) in [
        (AccountStatus::Frozen(Freeze::Both), RefusalCode::WalletFrozen),
        (AccountStatus::Closed, RefusalCode::WalletClosed),
    ] {
        let ada = Account { status, ..account(100, 0) };
        let refused = Err((code, ada.wallet(), None));
        assert_eq!(decided(&[&ada, &bola], vec![leg(&ada, &bola, 1)]), refused);
        assert_eq!(decided(&[&ada, &bola], vec![leg(&bola, &ada, 1)]), refused);
    }
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
