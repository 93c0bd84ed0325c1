//! Wallets as public events.

use chrono::{DateTime, Utc};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{
        WalletBoundsChanged, WalletBoundsSnapshot, WalletClosed, WalletCreated, WalletFrozen, WalletSnapshot,
        WalletUnfrozen,
    },
    outbox::OutboxError,
};

use super::{StaffOrder, Wallet};
use crate::{
    SERVICE_NAME,
    ledger::{AccountStatus, Freeze, PublicStatus},
};

pub(super) fn created(wallet: &Wallet, actor: Actor) -> Result<NewEvent, OutboxError> {
    let context = EventContext::new(SERVICE_NAME, actor, wallet.created_at);
    NewEvent::new(&context, &WalletCreated(snapshot(wallet, None)))
}

/// A member of staff changed the wallet's status; `wallet` is as it is since then.
pub(super) fn status_changed(
    wallet: &Wallet,
    order: &StaffOrder,
    now: DateTime<Utc>,
) -> Result<NewEvent, OutboxError> {
    let context = EventContext::new(SERVICE_NAME, Actor::staff(order.staff), now);
    let snapshot = snapshot(wallet, Some(order.reason.clone()));
    match wallet.status {
        AccountStatus::Active => NewEvent::new(&context, &WalletUnfrozen(snapshot)),
        AccountStatus::Frozen(_) => NewEvent::new(&context, &WalletFrozen(snapshot)),
        AccountStatus::Closed => NewEvent::new(&context, &WalletClosed(snapshot)),
    }
}

/// A member of staff bounded the wallet's balance.
pub(super) fn bounds_changed(
    wallet: &Wallet,
    floor: i64,
    ceiling: Option<i64>,
    order: &StaffOrder,
    now: DateTime<Utc>,
) -> Result<NewEvent, OutboxError> {
    let context = EventContext::new(SERVICE_NAME, Actor::staff(order.staff), now);
    let snapshot = WalletBoundsSnapshot {
        wallet_id: wallet.id.uuid(),
        user_id: wallet.user_id.uuid(),
        currency: wallet.currency.code().to_owned(),
        floor,
        ceiling,
        reason: order.reason.clone(),
        changed_at: now,
    };
    NewEvent::new(&context, &WalletBoundsChanged(snapshot))
}

fn snapshot(wallet: &Wallet, reason: Option<String>) -> WalletSnapshot {
    WalletSnapshot {
        wallet_id: wallet.id.uuid(),
        user_id: wallet.user_id.uuid(),
        currency: wallet.currency.code().to_owned(),
        name: wallet.name.as_ref().map(|name| name.as_str().to_owned()),
        status: PublicStatus::from(wallet.status).name().to_owned(),
        freeze: wallet.status.freeze().map(direction).map(str::to_owned),
        reason,
        created_at: wallet.created_at,
    }
}

fn direction(freeze: Freeze) -> &'static str {
    match freeze {
        Freeze::In => "in",
        Freeze::Out => "out",
        Freeze::Both => "both",
    }
}
