//! Tiers as identity-service tells them, by a consumer group of its own: where wallets were opened before tiers were kept here,
//! the group first passes the whole history by, and so every owner becomes known.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use common_db::Op;
use common_events::{
    Event, EventHandler, HandlerError,
    contracts::{UserRegistered, UserSnapshot, UserUpdated, UserVerified},
};
use tokio::sync::Notify;

use super::{entity::Told, take_in_in_op};
use crate::config::Config;

/// Takes in `user-events`, for what they tell of tiers.
#[derive(Debug)]
pub struct TierEvents {
    config: Arc<Config>,
    /// Told after a commit that moved somebody's tier: deposits that were too much may fit now.
    moved: Arc<Notify>,
    /// Somebody's tier was moved, and nobody has been told yet. Where that was rolled back, telling does no harm.
    to_tell: AtomicBool,
}

impl TierEvents {
    /// The consumer group, which is also its name in the inbox.
    pub const GROUP: &'static str = "wallet-service-tiers";

    pub fn new(config: Arc<Config>, moved: Arc<Notify>) -> Self {
        Self { config, moved, to_tell: AtomicBool::new(false) }
    }
}

#[async_trait]
impl EventHandler for TierEvents {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserRegistered>() || event.is::<UserVerified>() || event.is::<UserUpdated>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        self.handle_all_in_op(op, &[event]).await
    }

    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let told = events.iter().filter_map(|event| told(event).transpose());
        if take_in_in_op(op, &self.config.limits, told.collect::<Result<_, _>>()?).await? {
            self.to_tell.store(true, Ordering::Release);
        }
        Ok(())
    }

    async fn committed(&self, _event: &Event) {
        if self.to_tell.swap(false, Ordering::AcqRel) {
            self.moved.notify_one();
        }
    }
}

fn told(event: &Event) -> serde_json::Result<Option<Told>> {
    let snapshot = snapshot(event)?;
    Ok(snapshot.map(|user| Told {
        user: user.user_id.into(),
        tier: user.kyc_tier,
        version: (event.time, event.id),
    }))
}

fn snapshot(event: &Event) -> serde_json::Result<Option<UserSnapshot>> {
    if let Some(UserRegistered(user)) = event.data().transpose()? {
        return Ok(Some(user));
    }
    if let Some(UserVerified(user)) = event.data().transpose()? {
        return Ok(Some(user));
    }
    Ok(event.data().transpose()?.map(|UserUpdated(user)| user))
}
