//! A transaction as the other services learn of it.

use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{TransactionCompleted, TransactionFailed, TransactionInitiated, TransactionSnapshot},
    outbox::OutboxError,
};
use common_utils::{clock::Clock, ids::TransactionId};

use super::entity::{Party, Status, Transaction};
use crate::SERVICE_NAME;

/// The event of each transaction's present status, where it has one, under the correlation id of the call that it came from.
pub(crate) fn of_present_status(
    transactions: &[&Transaction],
    actor: impl Fn(&Transaction) -> Actor,
    clock: &dyn Clock,
) -> Result<Vec<(TransactionId, NewEvent)>, OutboxError> {
    let mut events = Vec::with_capacity(transactions.len());
    for transaction in transactions {
        let context = EventContext::of_request(
            SERVICE_NAME,
            actor(transaction),
            clock.now(),
            transaction.correlation_id.clone(),
            transaction.traceparent.clone(),
        );
        events.extend(event(transaction, &context)?.map(|event| (transaction.id, event)));
    }
    Ok(events)
}

fn event(transaction: &Transaction, context: &EventContext) -> Result<Option<NewEvent>, OutboxError> {
    let snapshot = snapshot(transaction);
    match transaction.status {
        Status::Initiated => NewEvent::new(context, &TransactionInitiated(snapshot)).map(Some),
        Status::Completed => NewEvent::new(context, &TransactionCompleted(snapshot)).map(Some),
        Status::Failed => NewEvent::new(context, &TransactionFailed(snapshot)).map(Some),
        Status::Pending | Status::Reversed | Status::OutcomeUnknown => Ok(None),
    }
}

fn snapshot(transaction: &Transaction) -> TransactionSnapshot {
    let wallet = |party: &Option<Party>| party.as_ref().map(|party| party.wallet.uuid());
    let user = |party: &Option<Party>| party.as_ref().map(|party| party.user.uuid());
    TransactionSnapshot {
        transaction_id: transaction.id.uuid(),
        kind: transaction.kind.name().to_owned(),
        status: transaction.status.name().to_owned(),
        amount: transaction.amount.into(),
        fee: transaction.fee.into(),
        from_wallet_id: wallet(&transaction.from),
        to_wallet_id: wallet(&transaction.to),
        from_user_id: user(&transaction.from),
        to_user_id: user(&transaction.to),
        narration: transaction.narration.clone(),
        reference: transaction.reference.clone(),
        failure: transaction.failure.as_ref().map(|failure| failure.code.clone()),
        created_at: transaction.created_at,
        completed_at: transaction.completed_at,
    }
}
