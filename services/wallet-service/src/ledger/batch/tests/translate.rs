//! From the model's words to those of the ledger.

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::{
    ids::{TransactionId, WalletId},
    money::{Currency, Money},
};
use uuid::Uuid;

use super::{
    api::{
        AccountRef, AccountStatus, Action, Capture, Freeze, Leg, PlatformAccount, Posting, PostingType, Share,
    },
    terms::{self, Coin, Deed, Id, Order, Part, Party, Status, Time},
};

/// The moment 0.
pub(crate) fn at(time: Time) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(time)
}

pub(crate) fn id(id: Id) -> TransactionId {
    Uuid::from_u128(u128::from(id) + 1).into()
}

pub(crate) fn currency(coin: Coin) -> Currency {
    match coin {
        Coin::Ngn => Currency::NGN,
        Coin::Usd => Currency::USD,
    }
}

pub(crate) fn status(status: Status) -> AccountStatus {
    match status {
        Status::Active => AccountStatus::Active,
        Status::FrozenIn => AccountStatus::Frozen(Freeze::In),
        Status::FrozenOut => AccountStatus::Frozen(Freeze::Out),
        Status::Frozen => AccountStatus::Frozen(Freeze::Both),
        Status::Closed => AccountStatus::Closed,
    }
}

pub(crate) fn platform(party: Party) -> Option<PlatformAccount> {
    match party {
        Party::Wallet(_) => None,
        Party::Equity => Some(PlatformAccount::Equity),
        Party::Fee => Some(PlatformAccount::Fee),
        Party::Position => Some(PlatformAccount::Position),
    }
}

/// `wallets` says which id a wallet's number has.
pub(crate) fn posting(order: &Order, wallets: &impl Fn(u8) -> WalletId) -> Posting {
    let party = |party: Party| match party {
        Party::Wallet(number) => AccountRef::Wallet(wallets(number)),
        other => AccountRef::Platform(platform(other).unwrap()),
    };
    let money = |coin, amount| Money::new(amount, currency(coin));
    let share = |part: &Part| Share { account: party(part.party), amount: money(part.coin, part.amount) };
    let shares = |parts: &[Part]| parts.iter().map(share).collect();
    let leg = |leg: &terms::Leg| Leg {
        debit: party(leg.from),
        credit: party(leg.to),
        amount: money(leg.coin, leg.amount),
    };
    let (kind, action) = match &order.deed {
        Deed::Move(legs) => (PostingType::Transfer, Action::Move(legs.iter().map(leg).collect())),
        Deed::Hold { on, until } => {
            let amount = money(on.coin, on.amount);
            (PostingType::Hold, Action::Hold { account: party(on.party), amount, expires_at: at(*until) })
        }
        Deed::Capture { hold, to, release_rest } => {
            let to = Capture::Part { to: shares(to), release_rest: *release_rest };
            (PostingType::Withdrawal, Action::Capture { hold: id(*hold), to })
        }
        Deed::CaptureAll { hold, to, coin } => {
            let to = Capture::Whole { to: party(*to), currency: currency(*coin) };
            (PostingType::Withdrawal, Action::Capture { hold: id(*hold), to })
        }
        Deed::Release { hold } => (PostingType::Release, Action::Release { hold: id(*hold) }),
        Deed::Reverse { posting } => (PostingType::Reversal, Action::Reverse { posting: id(*posting) }),
        Deed::Refund { posting, from } => {
            (PostingType::Refund, Action::Refund { posting: id(*posting), from: shares(from) })
        }
    };
    let posting = Posting::of(id(order.id), kind, "", action).unwrap();
    match order.group {
        Some(group) => posting.in_group(Uuid::from_u128(u128::from(group))),
        None => posting,
    }
}
