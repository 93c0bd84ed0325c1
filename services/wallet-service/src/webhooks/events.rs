//! What others learn of money that came in. That a wallet was credited is told by its entry.

use chrono::{DateTime, Utc};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{DepositParked, ParkedDepositSnapshot},
    outbox::OutboxError,
};
use common_utils::ids::TransactionId;

use super::entity::{Deposit, Obstacle};
use crate::SERVICE_NAME;

/// The deposit is on the suspense account by this posting.
pub(super) fn parked(
    by: TransactionId,
    deposit: &Deposit,
    obstacle: Obstacle,
    now: DateTime<Utc>,
) -> Result<NewEvent, OutboxError> {
    let context = EventContext::new(SERVICE_NAME, Actor::provider(&deposit.provider), now);
    let snapshot = ParkedDepositSnapshot {
        wallet_id: deposit.wallet_id.uuid(),
        user_id: deposit.user_id.uuid(),
        transaction_id: by.uuid(),
        amount: deposit.amount.into(),
        reason: obstacle.name(),
        provider: deposit.provider.clone(),
        provider_reference: deposit.reference.clone(),
        posted_at: now,
    };
    NewEvent::new(&context, &DepositParked(snapshot))
}
