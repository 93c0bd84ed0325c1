//! Deposits: money that came in from a bank. wallet-service has booked it already, so it is a completed transaction from
//! the start, under the id of its posting.

use common_db::Op;
use common_events::{
    Event, HandlerError, NewEvent,
    contracts::{EntrySnapshot, WalletCredited},
    outbox,
};
use common_utils::{
    clock::Clock,
    correlation,
    ids::{TransactionId, UserId, WalletId},
    money::Money,
    telemetry::trace_context,
};

use crate::transactions::{self, Party, Status, Transaction, TransactionType, events, reference};

/// Longer names than this are not names.
const LONGEST_TEXT: usize = 200;

/// The booked entry, if the event is a deposit.
pub(crate) fn of(event: &Event) -> serde_json::Result<Option<EntrySnapshot>> {
    let credited = event.data().transpose()?.map(|WalletCredited(entry)| entry);
    Ok(credited.filter(|entry| entry.transaction_type == TransactionType::Deposit.name()))
}

/// Takes in a deposit, once; other events are left alone.
pub(crate) async fn take_in_op(op: &mut Op, event: &Event, clock: &dyn Clock) -> Result<(), HandlerError> {
    let Some(entry) = of(event)? else { return Ok(()) };
    let deposit = deposit(&entry);
    if !transactions::repo::insert_in_op(op, &deposit).await? {
        return Ok(());
    }
    let actor = |_: &Transaction| event.actor.clone();
    let told = events::of_present_status(&[&deposit], actor, clock)?;
    let events: Vec<NewEvent> = told.into_iter().map(|(_, event)| event).collect();
    Ok(outbox::publish_in_op(op, &events).await?)
}

fn deposit(entry: &EntrySnapshot) -> Transaction {
    let id = TransactionId::from(entry.transaction_id);
    let amount = Money::from(entry.amount);
    let theirs = entry.provider_reference.as_deref().and_then(readable);
    Transaction {
        id,
        kind: TransactionType::Deposit,
        status: Status::Completed,
        amount,
        fee: Money::new(0, amount.currency),
        from: None,
        to: Some(Party {
            wallet: WalletId::from(entry.wallet_id),
            user: UserId::from(entry.user_id),
            name: None,
        }),
        outside_name: entry.counterparty_name.as_deref().and_then(readable),
        narration: None,
        reference: theirs.unwrap_or_else(|| reference("DEP", id)),
        failure: None,
        over_limit: None,
        correlation_id: correlation::current(),
        traceparent: trace_context::traceparent(),
        api_key: None,
        leased_until: None,
        created_at: entry.posted_at,
        completed_at: Some(entry.posted_at),
    }
}

/// A bank's text as it can be kept and shown; None when nothing of it is left.
fn readable(text: &str) -> Option<String> {
    let kept: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST_TEXT).collect();
    let kept = kept.trim();
    if kept.is_empty() { None } else { Some(kept.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banks_text_is_made_fit_to_be_kept() {
        assert_eq!(readable(" ADA\0 OBI\n"), Some("ADA OBI".to_owned()));
        assert_eq!(readable("\0 "), None);
        assert_eq!(readable(&"x".repeat(300)).map(|text| text.len()), Some(LONGEST_TEXT));
    }
}
