//! What a batch did to customers' accounts as public events, in the order in which it happened: holds that the clock ended,
//! then for each posting its entries and the hold that it changed.

use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{
        EntrySnapshot, HoldSnapshot, WalletCredited, WalletDebited, WalletHoldCaptured, WalletHoldExpired,
        WalletHoldPlaced, WalletHoldReleased,
    },
    outbox::OutboxError,
};
use common_utils::money::Money;
use uuid::Uuid;

use super::{
    batch::Decided,
    book::Book,
    hold::{Hold, HoldStatus},
    posting::{Action, Request},
    rules::{Direction, NewEntry},
};
use crate::SERVICE_NAME;

/// `entries` pairs every entry of what was decided, in that order, with the id that it is written under.
pub(super) fn of<'a>(
    book: &Book,
    decided: &'a [Decided<'a>],
    entries: &[(&'a Decided<'a>, &'a NewEntry, Uuid)],
) -> Result<Vec<NewEvent>, OutboxError> {
    let mut events: Vec<NewEvent> = Vec::with_capacity(entries.len());
    for hold in ended_by_the_clock(book) {
        events.extend(of_expired(book, &hold).transpose()?);
    }
    let mut entries = entries.iter().peekable();
    for decided in decided {
        let context = context(decided);
        while let Some((_, entry, id)) = entries.next_if(|(of, ..)| std::ptr::eq(*of, decided)) {
            events.extend(of_entry(book, decided, &context, entry, *id).transpose()?);
        }
        if let Some(hold) = &decided.hold {
            events.extend(of_hold(book, decided, &context, hold).transpose()?);
        }
    }
    Ok(events)
}

/// Of the request that the posting came with.
fn context(decided: &Decided<'_>) -> EventContext {
    let origin = decided.posting.origin();
    let actor = origin.actor.clone().unwrap_or_else(|| Actor::service(SERVICE_NAME));
    match &origin.request {
        Some(Request { correlation_id, traceparent }) => EventContext::of_request(
            SERVICE_NAME,
            actor,
            decided.at,
            correlation_id.clone(),
            traceparent.clone(),
        ),
        None => EventContext::new(SERVICE_NAME, actor, decided.at),
    }
}

type Event = Option<Result<NewEvent, OutboxError>>;

/// None for an account of the platform: what it holds is nobody's business outside.
fn of_entry(book: &Book, decided: &Decided<'_>, context: &EventContext, entry: &NewEntry, id: Uuid) -> Event {
    let account = book.account(entry.account)?;
    let (wallet, owner) = account.wallet().zip(account.owner)?;
    let (posting, origin) = (decided.posting, decided.posting.origin());
    let snapshot = EntrySnapshot {
        wallet_id: wallet.uuid(),
        user_id: owner.uuid(),
        entry_id: id,
        sequence: entry.sequence,
        transaction_id: posting.id().uuid(),
        transaction_type: posting.kind().name().to_owned(),
        amount: Money::new(entry.amount, account.currency).into(),
        balance_after: entry.balance_after,
        description: posting.description().to_owned(),
        provider_reference: origin.provider_reference.clone(),
        counterparty_name: origin.counterparty_name.clone(),
        posted_at: decided.at,
    };
    Some(match entry.direction {
        Direction::Credit => NewEvent::new(context, &WalletCredited(snapshot)),
        Direction::Debit => NewEvent::new(context, &WalletDebited(snapshot)),
    })
}

fn of_hold(book: &Book, decided: &Decided<'_>, context: &EventContext, hold: &Hold) -> Event {
    let snapshot = snapshot(book, hold, Some(decided))?;
    match decided.posting.action() {
        Action::Hold { .. } => Some(NewEvent::new(context, &WalletHoldPlaced(snapshot))),
        Action::Capture { .. } => Some(NewEvent::new(context, &WalletHoldCaptured(snapshot))),
        Action::Release { .. } => Some(NewEvent::new(context, &WalletHoldReleased(snapshot))),
        Action::Move(_) | Action::Reverse { .. } | Action::Refund { .. } => None,
    }
}

fn ended_by_the_clock(book: &Book) -> Vec<Hold> {
    let changed = book.changed().holds.iter().filter_map(|id| book.hold(*id));
    let mut ended: Vec<Hold> = changed.filter(|hold| hold.status == HoldStatus::Expired).copied().collect();
    ended.sort_unstable_by_key(|hold| (hold.expires_at, hold.id));
    ended
}

fn of_expired(book: &Book, hold: &Hold) -> Event {
    let snapshot = snapshot(book, hold, None)?;
    let context = EventContext::new(SERVICE_NAME, Actor::service(SERVICE_NAME), snapshot.changed_at);
    Some(NewEvent::new(&context, &WalletHoldExpired(snapshot)))
}

/// `by` is the posting that changed it, and nobody where the clock did.
fn snapshot(book: &Book, hold: &Hold, by: Option<&Decided<'_>>) -> Option<HoldSnapshot> {
    let account = book.account(hold.account)?;
    let (wallet, owner) = account.wallet().zip(account.owner)?;
    Some(HoldSnapshot {
        wallet_id: wallet.uuid(),
        user_id: owner.uuid(),
        hold_id: hold.id.uuid(),
        status: hold.status.name().to_owned(),
        amount: Money::new(hold.amount, account.currency).into(),
        captured: hold.captured,
        remaining: if hold.status == HoldStatus::Held { hold.left() } else { 0 },
        transaction_id: by.map(|decided| decided.posting.id().uuid()),
        expires_at: hold.expires_at,
        changed_at: by.map_or(hold.closed_at, |decided| Some(decided.at)).unwrap_or(hold.created_at),
    })
}
