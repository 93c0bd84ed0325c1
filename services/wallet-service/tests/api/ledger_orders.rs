//! Short ways to ask the ledger for holds, and for what follows them.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::{TransactionId, WalletId},
    money::{Currency, Money},
};
use wallet_service::ledger::{AccountRef, Action, Capture, Posting, PostingType, Share};

use crate::support::of;

fn naira(amount: i64) -> Money {
    Money::new(amount, Currency::NGN)
}

fn posting(kind: PostingType, action: Action) -> Posting {
    Posting::of(TransactionId::new(), kind, "Rent", action).unwrap()
}

pub(crate) fn share(account: AccountRef, amount: i64) -> Share {
    Share { account, amount: naira(amount) }
}

/// The hold has the posting's id.
pub(crate) fn hold(wallet: WalletId, amount: i64, expires_at: DateTime<Utc>) -> Posting {
    hold_with_id(TransactionId::new(), wallet, amount, expires_at)
}

pub(crate) fn hold_with_id(
    id: TransactionId,
    wallet: WalletId,
    amount: i64,
    expires_at: DateTime<Utc>,
) -> Posting {
    let action = Action::Hold { account: of(wallet), amount: naira(amount), expires_at };
    Posting::of(id, PostingType::Hold, "Rent", action).unwrap()
}

pub(crate) fn capture(hold: TransactionId, to: AccountRef, amount: i64) -> Posting {
    let to = Capture::Part { to: vec![share(to, amount)], release_rest: false };
    posting(PostingType::Withdrawal, Action::Capture { hold, to })
}

/// What is not captured is released.
pub(crate) fn capture_last(hold: TransactionId, to: AccountRef, amount: i64) -> Posting {
    let to = Capture::Part { to: vec![share(to, amount)], release_rest: true };
    posting(PostingType::Withdrawal, Action::Capture { hold, to })
}

pub(crate) fn capture_all(hold: TransactionId, to: AccountRef) -> Posting {
    let to = Capture::Whole { to, currency: Currency::NGN };
    posting(PostingType::Withdrawal, Action::Capture { hold, to })
}

pub(crate) fn release(hold: TransactionId) -> Posting {
    posting(PostingType::Release, Action::Release { hold })
}

pub(crate) fn reverse(earlier: TransactionId) -> Posting {
    posting(PostingType::Reversal, Action::Reverse { posting: earlier })
}

pub(crate) fn refund(earlier: TransactionId, from: AccountRef, amount: i64) -> Posting {
    posting(PostingType::Refund, Action::Refund { posting: earlier, from: vec![share(from, amount)] })
}
