//! What must hold whatever is asked: properties over random lists of postings.
//!
//! The model is as plain as can be: a map from account to balance, moved leg by leg with 128-bit numbers.

use std::collections::HashMap;

use common_utils::{
    ids::{UserId, WalletId},
    money::{Currency, Money},
};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ledger::{
    Account, AccountId, AccountRef, AccountStatus, Bounds, Freeze, Leg, PlatformAccount, PlatformIds,
    PostingType, Standing,
};

const WALLETS: u128 = 5;

fn noon() -> DateTime<Utc> {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn wallet(number: u128) -> AccountRef {
    AccountRef::Wallet(WalletId::from(Uuid::from_u128(number)))
}

fn account(id: u128, owner: Option<UserId>, posted: i64, status: AccountStatus) -> Account {
    let held = posted / 3;
    Account {
        id: Uuid::from_u128(id).into(),
        owner,
        currency: Currency::NGN,
        status,
        bounds: if owner.is_none() { Bounds::NONE } else { Bounds::ZERO },
        standing: Standing {
            posted,
            held: if owner.is_some() { held } else { 0 },
            entries: 0,
            updated_at: noon(),
        },
    }
}

/// Wallets 1 to 5, of which the last is frozen; wallet 6 does not exist; equity may overdraw.
fn book(balances: &[i64]) -> Book {
    let owner = || Some(UserId::from(Uuid::from_u128(99)));
    let wallets = balances.iter().zip(1..).map(|(posted, id)| {
        let status = if id == WALLETS { AccountStatus::Frozen(Freeze::Both) } else { AccountStatus::Active };
        account(id, owner(), *posted, status)
    });
    let equity = account(100, None, 0, AccountStatus::Active);
    let platform = PlatformIds::from([((PlatformAccount::Equity, Currency::NGN), equity.id)]);
    Book::new(wallets.chain([equity]), platform)
}

fn ids() -> impl Iterator<Item = AccountId> {
    (1..=WALLETS).chain([100]).map(|id| Uuid::from_u128(id).into())
}

fn standings(book: &Book) -> Vec<Standing> {
    ids().map(|id| book.account(id).unwrap().standing).collect()
}

fn balances() -> impl Strategy<Value = Vec<i64>> {
    let one = prop_oneof![0..1_000_i64, Just(0), i64::MAX - 1_000..=i64::MAX];
    prop::collection::vec(one, usize::try_from(WALLETS).unwrap())
}

fn side() -> impl Strategy<Value = AccountRef> {
    prop_oneof![
        8 => (1..=WALLETS + 1).prop_map(wallet),
        1 => Just(AccountRef::Platform(PlatformAccount::Equity)),
    ]
}

fn leg() -> impl Strategy<Value = Leg> {
    let amount = prop_oneof![9 => 1..400_i64, 1 => 1..=i64::MAX];
    (side(), side(), amount).prop_filter_map("one account on both sides", |(debit, credit, amount)| {
        (debit != credit).then(|| Leg { debit, credit, amount: Money::new(amount, Currency::NGN) })
    })
}

/// Ids repeat, with the same and with other content.
fn postings() -> impl Strategy<Value = Vec<Posting>> {
    let one = (1..30_u128, prop::collection::vec(leg(), 1..5)).prop_map(|(id, legs)| {
        Posting::new(Uuid::from_u128(id).into(), PostingType::Transfer, "", legs).unwrap()
    });
    prop::collection::vec(one, 0..40)
}

fn run<'a>(book: &mut Book, known: HashMap<TransactionId, Known>, postings: &'a [Posting]) -> Batch<'a> {
    decide_all(book, known, postings, noon())
}

/// What a later list finds in the database of this one.
fn known(batch: &Batch<'_>) -> HashMap<TransactionId, Known> {
    let kept = batch.decided.iter().map(|decided| {
        let content_hash = decided.posting.content_hash().to_vec();
        (decided.posting.id(), Known { content_hash, outcome: decided.outcome, posted_at: decided.at })
    });
    kept.collect()
}

fn total(book: &Book) -> i128 {
    standings(book).iter().map(|standing| i128::from(standing.posted)).sum()
}

/// The posting carried out on plain numbers; whether every step was allowed.
fn model(balances: &mut HashMap<AccountId, i128>, book: &Book, posting: &Posting) -> bool {
    let mut after = balances.clone();
    let Action::Move(legs) = posting.action() else { return false };
    for leg in legs {
        let sides =
            [(&leg.debit, -i128::from(leg.amount.amount)), (&leg.credit, i128::from(leg.amount.amount))];
        for (side, change) in sides {
            let Some(account) = book.resolve(side, Currency::NGN) else { return false };
            let Some(balance) = after.get_mut(&account.id) else { return false };
            *balance += change;
            let floor = if account.bounds.floor.is_none() {
                i128::from(i64::MIN)
            } else {
                i128::from(account.standing.held)
            };
            let sinks = change < 0 && *balance < floor;
            if account.status != AccountStatus::Active || sinks || *balance > i128::from(i64::MAX) {
                return false;
            }
        }
    }
    *balances = after;
    true
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn money_is_neither_made_nor_lost(balances in balances(), postings in postings()) {
        let mut book = book(&balances);
        let before = total(&book);
        let batch = run(&mut book, HashMap::new(), &postings);
        prop_assert_eq!(total(&book), before);
        for decided in &batch.decided {
            let signed = decided.entries.iter().map(|entry| match entry.direction {
                rules::Direction::Debit => -i128::from(entry.amount),
                rules::Direction::Credit => i128::from(entry.amount),
            });
            prop_assert_eq!(signed.sum::<i128>(), 0);
        }
    }

    #[test]
    fn no_balance_goes_below_its_floor(balances in balances(), postings in postings()) {
        let mut book = book(&balances);
        run(&mut book, HashMap::new(), &postings);
        for id in ids() {
            let account = book.account(id).unwrap();
            prop_assert!(account.bounds.floor.is_none() || account.standing.posted >= account.standing.held);
        }
    }

    #[test]
    fn outcomes_and_balances_are_those_of_the_model(balances in balances(), postings in postings()) {
        let mut book = book(&balances);
        let mut plain: HashMap<AccountId, i128> =
            ids().map(|id| (id, i128::from(book.account(id).unwrap().standing.posted))).collect();
        let start = book.clone();
        let batch = run(&mut book, HashMap::new(), &postings);
        for decided in &batch.decided {
            let allowed = model(&mut plain, &start, decided.posting);
            prop_assert_eq!(decided.outcome == Outcome::Posted, allowed, "{:?}", decided);
        }
        for id in ids() {
            prop_assert_eq!(i128::from(book.account(id).unwrap().standing.posted), plain[&id]);
        }
    }

    #[test]
    fn entries_form_an_unbroken_chain(balances in balances(), postings in postings()) {
        let mut book = book(&balances);
        let mut standing: HashMap<AccountId, (i64, i64)> =
            ids().map(|id| (id, (0, book.account(id).unwrap().standing.posted))).collect();
        let batch = run(&mut book, HashMap::new(), &postings);
        for entry in batch.decided.iter().flat_map(|decided| &decided.entries) {
            let (sequence, balance) = standing[&entry.account];
            let signed = if entry.direction == rules::Direction::Credit { entry.amount } else { -entry.amount };
            prop_assert_eq!(entry.sequence, sequence + 1);
            prop_assert_eq!(entry.balance_after, balance + signed);
            standing.insert(entry.account, (entry.sequence, entry.balance_after));
        }
        for (id, (sequence, balance)) in standing {
            let account = book.account(id).unwrap();
            prop_assert_eq!((account.standing.entries, account.standing.posted), (sequence, balance));
        }
    }

    #[test]
    fn a_replayed_prefix_changes_nothing_and_gets_the_same_answers(
        balances in balances(), postings in postings(), cut: prop::sample::Index,
    ) {
        let mut book = book(&balances);
        let first = run(&mut book, HashMap::new(), &postings);
        let after = standings(&book);
        let prefix = &postings[..cut.index(postings.len() + 1)];
        let again = run(&mut book, known(&first), prefix);
        prop_assert!(again.decided.is_empty());
        prop_assert_eq!(standings(&book), after);
        for (one, other) in first.results.iter().zip(&again.results) {
            prop_assert_eq!((one.id, one.outcome, one.posted_at), (other.id, other.outcome, other.posted_at));
        }
    }

    #[test]
    fn how_a_list_is_cut_into_lists_does_not_matter(
        balances in balances(), postings in postings(), cut: prop::sample::Index,
    ) {
        let (mut whole, mut cut_up) = (book(&balances), book(&balances));
        let all = run(&mut whole, HashMap::new(), &postings);
        let (head, tail) = postings.split_at(cut.index(postings.len() + 1));
        let first = run(&mut cut_up, HashMap::new(), head);
        let second = run(&mut cut_up, known(&first), tail);
        prop_assert_eq!(standings(&whole), standings(&cut_up));
        let outcomes = |batch: &Batch<'_>| batch.results.iter().map(|result| result.outcome).collect::<Vec<_>>();
        prop_assert_eq!(outcomes(&all), [outcomes(&first), outcomes(&second)].concat());
    }

    #[test]
    fn postings_of_different_accounts_may_change_places(
        balances in balances(), here in 1..400_i64, there in 1..400_i64,
    ) {
        let transfer = |id, debit, credit, amount| {
            let amount = Money::new(amount, Currency::NGN);
            let leg = Leg { debit: wallet(debit), credit: wallet(credit), amount };
            Posting::new(Uuid::from_u128(id).into(), PostingType::Transfer, "", vec![leg]).unwrap()
        };
        let (one, other) = (transfer(1, 1, 2, here), transfer(2, 3, 4, there));
        let (mut forth, mut back) = (book(&balances), book(&balances));
        run(&mut forth, HashMap::new(), &[one.clone(), other.clone()]);
        run(&mut back, HashMap::new(), &[other, one]);
        prop_assert_eq!(standings(&forth), standings(&back));
    }
}

#[test]
fn a_known_id_with_other_content_is_refused_and_not_kept() {
    let posting = |amount| {
        let leg = Leg { debit: wallet(1), credit: wallet(2), amount: Money::new(amount, Currency::NGN) };
        Posting::new(Uuid::from_u128(7).into(), PostingType::Transfer, "", vec![leg]).unwrap()
    };
    let postings = [posting(10), posting(11), posting(10)];
    let mut book = book(&[100, 0, 0, 0, 0]);
    let batch = run(&mut book, HashMap::new(), &postings);
    let answers: Vec<_> = batch
        .results
        .iter()
        .map(|result| (result.outcome.refusal().map(|refusal| refusal.code), result.replayed))
        .collect();
    assert_eq!(answers, [(None, false), (Some(RefusalCode::ContentMismatch), false), (None, true)]);
    assert_eq!(batch.decided.len(), 1);
}
