//! What a batch of events says, a row a thing: of several events about one thing the latest. Rows are sorted by their keys, so
//! that they are locked in one order.

use std::collections::{BTreeMap, btree_map::Entry};

use common_events::{
    Event,
    contracts::{
        EntrySnapshot, TransactionCompleted, TransactionFailed, TransactionInitiated, TransactionSnapshot,
        UserRegistered, UserSnapshot, UserUpdated, UserVerified, VirtualAccountIssued,
        VirtualAccountSnapshot, WalletClosed, WalletCreated, WalletCredited, WalletDebited, WalletFrozen,
        WalletSnapshot, WalletUnfrozen,
    },
};
use uuid::Uuid;

use super::entity::{self, Version};

/// What one event says.
enum Fact {
    User(UserSnapshot),
    Wallet(WalletSnapshot),
    Entry(EntrySnapshot),
    Account(VirtualAccountSnapshot),
    Transaction(TransactionSnapshot),
}

/// Snapshots with what tells them from earlier ones.
type Latest<V, T> = BTreeMap<Uuid, (V, T)>;

#[derive(Default)]
pub(super) struct Facts {
    pub(super) users: Latest<Version, UserSnapshot>,
    pub(super) wallets: Latest<Version, WalletSnapshot>,
    /// By wallet; the number of the entry is its version.
    pub(super) balances: Latest<i64, EntrySnapshot>,
    pub(super) accounts: Vec<VirtualAccountSnapshot>,
    pub(super) transactions: Latest<(i16, Version), TransactionSnapshot>,
    /// Entries that name who sent the money.
    pub(super) counterparties: Vec<EntrySnapshot>,
}

/// Whether the read model has a use for it.
pub(super) fn concerns(event: &Event) -> bool {
    event.is::<UserRegistered>()
        || event.is::<UserVerified>()
        || event.is::<UserUpdated>()
        || event.is::<WalletCreated>()
        || event.is::<WalletFrozen>()
        || event.is::<WalletUnfrozen>()
        || event.is::<WalletClosed>()
        || event.is::<WalletCredited>()
        || event.is::<WalletDebited>()
        || event.is::<VirtualAccountIssued>()
        || event.is::<TransactionInitiated>()
        || event.is::<TransactionCompleted>()
        || event.is::<TransactionFailed>()
}

impl Facts {
    pub(super) fn of(events: &[&Event]) -> serde_json::Result<Self> {
        let mut facts = Self::default();
        for event in events {
            facts.add(event)?;
        }
        facts.counterparties.sort_by_key(|entry| (entry.transaction_id, entry.entry_id));
        facts.accounts.sort_by(|one, other| {
            (one.wallet_id, &one.bank_code, one.issued_at).cmp(&(
                other.wallet_id,
                &other.bank_code,
                other.issued_at,
            ))
        });
        Ok(facts)
    }

    fn add(&mut self, event: &Event) -> serde_json::Result<()> {
        let version = Version::of(event);
        match read(event)? {
            None => {}
            Some(Fact::User(user)) => keep(&mut self.users, user.user_id, version, user),
            Some(Fact::Wallet(wallet)) => keep(&mut self.wallets, wallet.wallet_id, version, wallet),
            Some(Fact::Account(account)) => self.accounts.push(account),
            Some(Fact::Transaction(transaction)) => {
                let version = (entity::progress(&transaction.status), version);
                keep(&mut self.transactions, transaction.transaction_id, version, transaction);
            }
            Some(Fact::Entry(entry)) => {
                if entry.counterparty_name.is_some() {
                    self.counterparties.push(entry.clone());
                }
                keep(&mut self.balances, entry.wallet_id, entry.sequence, entry);
            }
        }
        Ok(())
    }
}

fn keep<V: Ord, T>(latest: &mut Latest<V, T>, key: Uuid, version: V, what: T) {
    match latest.entry(key) {
        Entry::Vacant(place) => {
            place.insert((version, what));
        }
        Entry::Occupied(mut place) if place.get().0 < version => {
            place.insert((version, what));
        }
        Entry::Occupied(_) => {}
    }
}

/// None where it does not concern support.
fn read(event: &Event) -> serde_json::Result<Option<Fact>> {
    /// The snapshot of the first of these types that the event is of.
    macro_rules! first_of {
        ($($kind:ident => $fact:ident),* $(,)?) => {
            $(if let Some($kind(snapshot)) = event.data().transpose()? {
                return Ok(Some(Fact::$fact(snapshot)));
            })*
        };
    }
    first_of! {
        TransactionCompleted => Transaction,
        TransactionInitiated => Transaction,
        TransactionFailed => Transaction,
        WalletCredited => Entry,
        WalletDebited => Entry,
        UserRegistered => User,
        UserVerified => User,
        UserUpdated => User,
        WalletCreated => Wallet,
        WalletFrozen => Wallet,
        WalletUnfrozen => Wallet,
        WalletClosed => Wallet,
        VirtualAccountIssued => Account,
    }
    Ok(None)
}
