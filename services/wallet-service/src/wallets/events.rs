//! Wallets as public events.

use chrono::{DateTime, Utc};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{WalletCreated, WalletFrozen, WalletSnapshot, WalletUnfrozen},
    outbox::OutboxError,
};
use uuid::Uuid;

use super::entity::{NewWallet, Wallet};
use crate::{SERVICE_NAME, ledger::PublicStatus};

pub(super) fn created(wallet: &NewWallet, actor: Actor) -> Result<NewEvent, OutboxError> {
    let snapshot = WalletSnapshot {
        wallet_id: wallet.id.uuid(),
        user_id: wallet.user_id.uuid(),
        currency: wallet.currency.code().to_owned(),
        name: wallet.name.as_ref().map(|name| name.as_str().to_owned()),
        status: PublicStatus::Active.name().to_owned(),
        reason: None,
        created_at: wallet.created_at,
    };
    NewEvent::new(&EventContext::new(SERVICE_NAME, actor, wallet.created_at), &WalletCreated(snapshot))
}

/// A member of staff froze the wallet, or let it be used again; `wallet` is as it is since then.
pub(super) fn frozen_or_not(
    wallet: &Wallet,
    staff: Uuid,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<NewEvent, OutboxError> {
    let context = EventContext::new(SERVICE_NAME, Actor::staff(staff), now);
    let snapshot = WalletSnapshot {
        wallet_id: wallet.id.uuid(),
        user_id: wallet.user_id.uuid(),
        currency: wallet.currency.code().to_owned(),
        name: wallet.name.as_ref().map(|name| name.as_str().to_owned()),
        status: PublicStatus::from(wallet.status).name().to_owned(),
        reason: Some(reason.to_owned()),
        created_at: wallet.created_at,
    };
    if wallet.status.freeze().is_some() {
        NewEvent::new(&context, &WalletFrozen(snapshot))
    } else {
        NewEvent::new(&context, &WalletUnfrozen(snapshot))
    }
}
