//! What becomes of users elsewhere: somebody who registered gets a wallet, somebody who was verified an account number
//! for it.

use async_trait::async_trait;
use common_db::Op;
use common_events::{
    Event, EventHandler, HandlerError,
    contracts::{UserRegistered, UserVerified},
};
use common_utils::ids::UserId;

use super::open_default_in_op;
use crate::{app::AppState, owners, virtual_accounts};

/// Takes in `user-events`.
#[derive(Debug)]
pub struct UserEvents {
    state: AppState,
}

impl UserEvents {
    pub fn new(state: AppState) -> Self {
        Self { state }
    }
}

#[async_trait]
impl EventHandler for UserEvents {
    fn takes(&self, event: &Event) -> bool {
        event.is::<UserRegistered>() || event.is::<UserVerified>()
    }

    async fn handle_in_op(&self, op: &mut Op, event: &Event) -> Result<(), HandlerError> {
        if let Some(registered) = event.data::<UserRegistered>() {
            open_default_in_op(op, &self.state, registered?.0.user_id.into()).await?;
        } else if let Some(verified) = event.data::<UserVerified>() {
            // The two events of a person come in order; if the first was set aside, the wallet is made here.
            let user = verified?.0.user_id.into();
            let wallet = open_default_in_op(op, &self.state, user).await?;
            if let Some(provider) = &self.state.config.default_provider {
                virtual_accounts::request_in_op(op, provider, wallet, user, self.state.clock.now()).await?;
            }
        }
        Ok(())
    }

    /// The locks of all of them first, at once.
    async fn handle_all_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let users = events.iter().filter_map(|event| user_of(event).transpose());
        owners::lock_in_op(op, &users.collect::<Result<Vec<UserId>, _>>()?).await?;
        for event in events {
            event.scope(self.handle_in_op(op, event)).await?;
        }
        Ok(())
    }

    async fn committed(&self, event: &Event) {
        if event.is::<UserVerified>() {
            self.state.accounts_wanted.notify_one();
        }
    }
}

fn user_of(event: &Event) -> serde_json::Result<Option<UserId>> {
    if let Some(UserRegistered(user)) = event.data().transpose()? {
        return Ok(Some(user.user_id.into()));
    }
    Ok(event.data().transpose()?.map(|UserVerified(user)| user.user_id.into()))
}
