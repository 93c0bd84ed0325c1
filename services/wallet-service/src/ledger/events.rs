//! Entries of customers' accounts as public events, in the order in which they were made.

use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{EntrySnapshot, WalletCredited, WalletDebited},
    outbox::OutboxError,
};
use common_utils::money::Money;
use uuid::Uuid;

use super::{
    batch::Decided,
    book::Book,
    posting::Request,
    rules::{Direction, NewEntry},
};
use crate::SERVICE_NAME;

/// `entries` pairs every entry with the id that it is written under.
pub(super) fn of<'a>(
    book: &Book,
    entries: impl Iterator<Item = (&'a Decided<'a>, &'a NewEntry, Uuid)>,
) -> Result<Vec<NewEvent>, OutboxError> {
    entries.filter_map(|(decided, entry, id)| of_entry(book, decided, entry, id)).collect()
}

/// None for an account of the platform: what it holds is nobody's business outside.
fn of_entry(
    book: &Book,
    decided: &Decided<'_>,
    entry: &NewEntry,
    id: Uuid,
) -> Option<Result<NewEvent, OutboxError>> {
    let account = book.account(entry.account)?;
    let (wallet, owner) = account.wallet().zip(account.owner)?;
    let (posting, origin) = (decided.posting, decided.posting.origin());
    let actor = origin.actor.clone().unwrap_or_else(|| Actor::service(SERVICE_NAME));
    let context = match &origin.request {
        Some(Request { correlation_id, traceparent }) => EventContext::of_request(
            SERVICE_NAME,
            actor,
            decided.at,
            correlation_id.clone(),
            traceparent.clone(),
        ),
        None => EventContext::new(SERVICE_NAME, actor, decided.at),
    };
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
        Direction::Credit => NewEvent::new(&context, &WalletCredited(snapshot)),
        Direction::Debit => NewEvent::new(&context, &WalletDebited(snapshot)),
    })
}
