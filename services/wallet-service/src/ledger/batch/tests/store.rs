//! What a database keeps of batches: each is decided on what it would read, and what it changes is kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use common_utils::ids::{TransactionId, UserId, WalletId};
use uuid::Uuid;

use super::{
    terms::{self, Coin, Party, Status, Time, WALLETS, home},
    translate::{at, currency, platform, status},
};
use crate::ledger::{
    Account, AccountId, AccountRef, AccountStatus, Action, Bounds, Direction, PlatformIds, Posting,
    PostingResult, Standing,
    batch::{Batch, Known, decide_all, takes_back},
    book::{Book, Earlier, Step},
    hold::{Hold, HoldStatus},
    rules::NewEntry,
};

pub(super) fn wallet(number: u8) -> WalletId {
    Uuid::from_u128(u128::from(number) + 1).into()
}

/// The account that the model means.
pub(super) fn account_id((party, coin): terms::Account) -> AccountId {
    let place = match party {
        Party::Wallet(number) => return wallet(number).into(),
        Party::Equity => 100,
        Party::Fee => 200,
        Party::Position => 300,
    };
    Uuid::from_u128(place + u128::from(coin == Coin::Usd)).into()
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Store {
    pub accounts: BTreeMap<AccountId, Account>,
    pub holds: BTreeMap<TransactionId, Hold>,
    pub known: HashMap<TransactionId, Known>,
    /// As they were decided.
    pub postings: BTreeMap<TransactionId, Posting>,
    pub earlier: HashMap<TransactionId, Earlier>,
    /// In the order in which they were written, with their time.
    pub entries: Vec<(NewEntry, TransactionId, DateTime<Utc>)>,
    platform: PlatformIds,
}

impl Store {
    pub(super) fn new() -> Self {
        let wallets = (0..WALLETS).filter_map(|number| Some((Party::Wallet(number), home(number)?)));
        let platform = [Party::Equity, Party::Fee, Party::Position]
            .into_iter()
            .flat_map(|party| [Coin::Ngn, Coin::Usd].map(|coin| (party, coin)));
        let accounts = wallets.chain(platform.clone()).map(account).map(|account| (account.id, account));
        let named = platform.map(|(party, coin)| {
            ((super::translate::platform(party).unwrap(), currency(coin)), account_id((party, coin)))
        });
        Self {
            accounts: accounts.collect(),
            holds: BTreeMap::new(),
            known: HashMap::new(),
            postings: BTreeMap::new(),
            earlier: HashMap::new(),
            entries: Vec::new(),
            platform: named.collect(),
        }
    }

    pub(super) fn post(&mut self, lists: &[Vec<Posting>], now: Time) -> Vec<PostingResult> {
        let of_list = |(number, list): (usize, &Vec<Posting>)| {
            list.iter().map(|posting| posting.clone().of_list(number)).collect::<Vec<_>>()
        };
        let postings: Vec<Posting> = lists.iter().enumerate().flat_map(of_list).collect();
        let mut book = self.read(&postings, at(now));
        let known = |posting: &Posting| Some((posting.id(), self.known.get(&posting.id())?.clone()));
        let known = postings.iter().filter_map(known).collect();
        let batch = decide_all(&mut book, known, &postings, at(now));
        self.keep(&book, &batch);
        batch.results
    }

    /// Ends the overdue holds of all accounts.
    pub(super) fn sweep(&mut self, now: Time) {
        let holds: Vec<Hold> = self.holds.values().copied().collect();
        let mut book = Book::new(self.accounts.values().cloned(), self.platform.clone()).with_holds(holds);
        book.expire_overdue(at(now));
        self.keep(&book, &Batch::default());
    }

    /// The accounts that the postings name or lead to, the holds that they name, the overdue holds of those accounts, and the
    /// postings that are to be taken back.
    fn read(&self, postings: &[Posting], now: DateTime<Utc>) -> Book {
        let (mut accounts, mut holds, mut earlier) = (BTreeSet::new(), Vec::new(), HashMap::new());
        for posting in postings {
            let sides = posting.sides().into_iter().filter_map(|(account, currency)| match account {
                AccountRef::Wallet(id) => Some(AccountId::from(*id)),
                AccountRef::Platform(code) => self.platform.get(&(code.clone(), currency)).copied(),
            });
            accounts.extend(sides);
            if let Action::Capture { hold, .. } | Action::Release { hold } = posting.action() {
                holds.extend(self.holds.get(hold).copied());
            }
            let named =
                takes_back(posting.action()).and_then(|id| Some((id, self.earlier.get(&id)?.clone())));
            earlier.extend(named);
        }
        accounts.extend(holds.iter().map(|hold| hold.account));
        accounts.extend(earlier.values().flat_map(|earlier| earlier.steps.iter().map(|step| step.account)));
        let overdue =
            self.holds.values().filter(|hold| accounts.contains(&hold.account) && hold.is_overdue(now));
        holds.extend(overdue);
        let accounts = accounts.iter().filter_map(|id| self.accounts.get(id).cloned());
        Book::new(accounts, self.platform.clone()).with_holds(holds).with_earlier(earlier)
    }

    fn keep(&mut self, book: &Book, batch: &Batch<'_>) {
        for id in book.changed().accounts.keys() {
            self.accounts.extend(book.account(*id).map(|account| (*id, account.clone())));
        }
        for id in &book.changed().holds {
            self.holds.extend(book.hold(*id).map(|hold| (*id, *hold)));
        }
        for decided in &batch.decided {
            let (posting, outcome) = (decided.posting, decided.outcome);
            let content_hash = posting.content_hash().to_vec();
            self.postings.insert(posting.id(), posting.clone());
            self.known.insert(posting.id(), Known { content_hash, outcome, posted_at: decided.at });
            if !decided.entries.is_empty() {
                self.earlier.insert(posting.id(), earlier(posting, &decided.entries));
            }
            self.entries.extend(decided.entries.iter().map(|entry| (*entry, posting.id(), decided.at)));
        }
        for id in book.changed().returned.keys() {
            if let (Some(kept), Some(now)) = (self.earlier.get_mut(id), book.earlier(*id)) {
                kept.returned = now.returned.clone();
            }
        }
    }

    pub(super) fn set_status(&mut self, account: terms::Account, wanted: Status) {
        let Some(account) = self.accounts.get_mut(&account_id(account)) else { return };
        let empty = account.standing.posted == 0 && account.standing.held == 0;
        if account.status != AccountStatus::Closed && (wanted != Status::Closed || empty) {
            account.status = status(wanted);
        }
    }

    pub(super) fn set_bounds(&mut self, account: terms::Account, floor: i64, ceiling: Option<i64>) {
        let Some(account) = self.accounts.get_mut(&account_id(account)) else { return };
        let Standing { posted, held, .. } = account.standing;
        if posted - held >= floor && ceiling.is_none_or(|ceiling| posted <= ceiling) {
            account.bounds = Bounds { floor: Some(floor), ceiling, ..account.bounds };
        }
    }

    pub(super) fn set_intake(&mut self, account: terms::Account, ceiling: Option<i64>) {
        if let Some(account) = self.accounts.get_mut(&account_id(account)) {
            account.bounds.intake_ceiling = ceiling;
        }
    }

    /// What has been given to each account by postings that take this one back.
    pub(super) fn given_back(&self, id: TransactionId) -> BTreeMap<AccountId, i128> {
        let mut given = BTreeMap::new();
        for (entry, posting, _) in &self.entries {
            let back = takes_back(self.postings[posting].action()) == Some(id);
            if back && entry.direction == Direction::Credit {
                *given.entry(entry.account).or_default() += i128::from(entry.amount);
            }
        }
        given
    }

    pub(super) fn open_holds(&self, account: AccountId) -> i128 {
        let open =
            self.holds.values().filter(|hold| hold.account == account && hold.status == HoldStatus::Held);
        open.map(|hold| i128::from(hold.amount) - i128::from(hold.captured)).sum()
    }
}

fn account(place: terms::Account) -> Account {
    let (party, coin) = place;
    let bounded = platform(party).is_none_or(|account| !account.may_overdraw());
    Account {
        id: account_id(place),
        owner: matches!(party, Party::Wallet(_)).then(|| UserId::from(Uuid::from_u128(99))),
        currency: currency(coin),
        status: AccountStatus::Active,
        bounds: if bounded { Bounds::ZERO } else { Bounds::NONE },
        standing: Standing { posted: 0, held: 0, entries: 0, updated_at: at(0) },
    }
}

fn earlier(posting: &Posting, entries: &[NewEntry]) -> Earlier {
    let step =
        |entry: &NewEntry| Step { account: entry.account, direction: entry.direction, amount: entry.amount };
    Earlier {
        steps: entries.iter().map(step).collect(),
        returned: BTreeMap::new(),
        is_return: takes_back(posting.action()).is_some(),
    }
}
