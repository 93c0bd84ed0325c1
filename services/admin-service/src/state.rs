//! What handlers share.

use axum::extract::FromRef;
use common_auth::Authenticator;
use common_db::PgPool;
use common_events::{Actor, EventContext};
use common_utils::clock::SharedClock;

use crate::services::Services;

#[derive(Debug, Clone)]
pub(crate) struct AppState {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) authenticator: Authenticator,
    pub(crate) services: Services,
}

impl AppState {
    /// The context of an event that `actor` causes now.
    pub(crate) fn event_context(&self, actor: Actor) -> EventContext {
        EventContext::new(crate::NAME, actor, self.clock.now())
    }
}

impl FromRef<AppState> for Authenticator {
    fn from_ref(state: &AppState) -> Self {
        state.authenticator.clone()
    }
}
