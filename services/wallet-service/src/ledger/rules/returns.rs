//! Taking a posting back: as a whole by a reversal, or part by part by refunds.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;

use super::{
    Movement,
    tally::{Tally, pay, refused, resolve},
};
use crate::ledger::{
    account::{Account, AccountId},
    book::{Book, Earlier, Step},
    outcome::{Refusal, RefusalCode},
    posting::Share,
};

/// The steps in reverse order, each the other way round: who was paid last gives back first.
pub(super) fn reverse(book: &Book, id: TransactionId, now: DateTime<Utc>) -> Result<Movement, Refusal> {
    let earlier = returnable(book, id)?;
    if earlier.returned.values().any(|returned| *returned > 0) {
        return Err(Refusal::plain(RefusalCode::AlreadyReturned));
    }
    let back = |step: &Step| Step { direction: step.direction.opposite(), ..*step };
    let steps: Vec<Step> = earlier.steps.iter().rev().map(back).collect();
    let whole = |(account, taken): (AccountId, i128)| Some((account, i64::try_from(taken).ok()?));
    let returned = earlier.taken().into_iter().map(whole).collect::<Option<_>>();
    let returned = returned.ok_or(Refusal::plain(RefusalCode::NotReturnable))?;
    movement(book, id, &steps, returned, now)
}

pub(super) fn refund(
    book: &Book,
    id: TransactionId,
    from: &[Share],
    now: DateTime<Utc>,
) -> Result<Movement, Refusal> {
    let earlier = returnable(book, id)?;
    let (payer, taken) = only_payer(book, earlier)?;
    let mut steps = Vec::with_capacity(from.len() * 2);
    let before = earlier.returned.get(&payer.id).copied().unwrap_or_default();
    let mut returned = i128::from(before);
    for share in from {
        let giver = resolve(book, &share.account, share.amount.currency)?;
        if giver.id == payer.id {
            return Err(refused(payer, RefusalCode::SameAccount));
        }
        if giver.currency != payer.currency {
            return Err(refused(payer, RefusalCode::CurrencyMismatch));
        }
        returned += i128::from(share.amount.amount);
        steps.extend(pay(giver.id, payer.id, share.amount.amount));
    }
    let code =
        if i128::from(before) == taken { RefusalCode::AlreadyReturned } else { RefusalCode::RefundExceeded };
    let exceeded = Refusal {
        missing: Some(i64::try_from(returned - taken).unwrap_or(i64::MAX)),
        ..refused(payer, code)
    };
    let returned = i64::try_from(returned).ok().filter(|returned| i128::from(*returned) <= taken);
    let returned = BTreeMap::from([(payer.id, returned.ok_or(exceeded)?)]);
    movement(book, id, &steps, returned, now)
}

fn movement(
    book: &Book,
    id: TransactionId,
    steps: &[Step],
    returned: BTreeMap<AccountId, i64>,
    now: DateTime<Utc>,
) -> Result<Movement, Refusal> {
    let mut tally = Tally::of_correction(book);
    tally.take(steps)?;
    let mut movement = tally.movement(now);
    movement.change.returned = Some((id, returned));
    Ok(movement)
}

/// What took something back stays: to undo it, post anew.
fn returnable(book: &Book, id: TransactionId) -> Result<&Earlier, Refusal> {
    let earlier = book.earlier(id).ok_or(Refusal::plain(RefusalCode::PostingNotFound))?;
    if earlier.is_return { Err(Refusal::plain(RefusalCode::NotReturnable)) } else { Ok(earlier) }
}

/// Of several payers nobody could say which one a refund is for.
fn only_payer<'a>(book: &'a Book, earlier: &Earlier) -> Result<(&'a Account, i128), Refusal> {
    let mut taken = earlier.taken().into_iter();
    let several = Refusal::plain(RefusalCode::NotReturnable);
    match (taken.next(), taken.next()) {
        (Some((id, taken)), None) => Ok((book.account(id).ok_or(several)?, taken)),
        _ => Err(several),
    }
}
