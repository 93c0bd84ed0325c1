//! Holds: placed, captured, released. Those whose time is over were ended before anything was decided.

use chrono::{DateTime, Utc};
use common_utils::{ids::TransactionId, money::Money};

use super::{
    Direction, Movement,
    tally::{Tally, allows, pay, refused, resolve},
};
use crate::ledger::{
    account::Account,
    book::{Book, Step},
    hold::{Hold, HoldStatus},
    outcome::{Refusal, RefusalCode},
    posting::{AccountRef, Capture, Share},
};

pub(super) fn place(
    book: &Book,
    id: TransactionId,
    account: &AccountRef,
    amount: Money,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Movement, Refusal> {
    let account = resolve(book, account, amount.currency)?;
    allows(account, Direction::Debit)?;
    if expires_at <= now {
        return Err(refused(account, RefusalCode::HoldExpired));
    }
    let mut tally = Tally::new(book);
    tally.hold(account, amount.amount)?;
    let mut movement = tally.movement(now);
    let hold = Hold {
        id,
        account: account.id,
        amount: amount.amount,
        captured: 0,
        status: HoldStatus::Held,
        expires_at,
        created_at: movement.at,
        closed_at: None,
    };
    movement.change.hold = Some((id, Some(hold)));
    Ok(movement)
}

pub(super) fn capture(
    book: &Book,
    id: TransactionId,
    to: &Capture,
    now: DateTime<Utc>,
) -> Result<Movement, Refusal> {
    let (hold, account) = open(book, id)?;
    let (steps, release_rest) = match to {
        Capture::Whole { to, currency } => {
            let whole = Share { account: to.clone(), amount: Money::new(hold.left(), *currency) };
            (steps(book, account, &[whole])?, false)
        }
        Capture::Part { to, release_rest } => (steps(book, account, to)?, *release_rest),
    };
    let credits = steps.iter().filter(|step| step.direction == Direction::Credit);
    let total: i128 = credits.map(|step| i128::from(step.amount)).sum();
    let captured = i64::try_from(total).ok().filter(|captured| *captured <= hold.left());
    let captured = captured.ok_or_else(|| {
        let over = i64::try_from(total - i128::from(hold.left())).unwrap_or(i64::MAX);
        Refusal { missing: Some(over), ..refused(account, RefusalCode::HoldExceeded) }
    })?;
    let hold = Hold { captured: hold.captured + captured, ..hold };
    let ends = release_rest || hold.left() == 0;
    let mut tally = Tally::new(book);
    tally.hold(account, -(captured + if ends { hold.left() } else { 0 }))?;
    tally.take(&steps)?;
    let mut movement = tally.movement(now);
    let hold = if ends { hold.closed(HoldStatus::Captured, movement.at) } else { hold };
    movement.change.hold = Some((id, Some(hold)));
    Ok(movement)
}

/// A frozen account gets its money back, too: it stays where it is.
pub(super) fn release(book: &Book, id: TransactionId, now: DateTime<Utc>) -> Result<Movement, Refusal> {
    let (hold, account) = open(book, id)?;
    let mut tally = Tally::new(book);
    tally.hold(account, -hold.left())?;
    let mut movement = tally.movement(now);
    movement.change.hold = Some((id, Some(hold.closed(HoldStatus::Released, movement.at))));
    Ok(movement)
}

/// The hold and the account that it is on, if it is open.
fn open(book: &Book, id: TransactionId) -> Result<(Hold, &Account), Refusal> {
    let not_found = Refusal::plain(RefusalCode::HoldNotFound);
    let hold = *book.hold(id).ok_or(not_found)?;
    let account = book.account(hold.account).ok_or(not_found)?;
    match hold.status {
        HoldStatus::Held => Ok((hold, account)),
        HoldStatus::Expired => Err(refused(account, RefusalCode::HoldExpired)),
        HoldStatus::Captured | HoldStatus::Released => Err(refused(account, RefusalCode::HoldClosed)),
    }
}

fn steps(book: &Book, payer: &Account, shares: &[Share]) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::with_capacity(shares.len() * 2);
    for share in shares {
        let receiver = resolve(book, &share.account, share.amount.currency)?;
        if receiver.id == payer.id {
            return Err(refused(payer, RefusalCode::SameAccount));
        }
        if receiver.currency != payer.currency {
            return Err(refused(payer, RefusalCode::CurrencyMismatch));
        }
        steps.extend(pay(payer.id, receiver.id, share.amount.amount));
    }
    Ok(steps)
}
