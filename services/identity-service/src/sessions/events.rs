//! What other services learn of a session: that it ended.

use chrono::{DateTime, TimeDelta, Utc};
use common_events::contracts::{SessionEndSnapshot, SessionEnded};

use super::entity::{EndReason, Open};

impl Open {
    /// The last access token was signed at the latest now, and lives for `lifetime`, but not longer than the session.
    pub(crate) fn ended(&self, reason: EndReason, lifetime: TimeDelta, now: DateTime<Utc>) -> SessionEnded {
        SessionEnded(SessionEndSnapshot {
            user_id: self.user_id.uuid(),
            session_id: self.id.uuid(),
            reason: reason.name().to_owned(),
            ended_at: now,
            refused_until: (now + lifetime).min(self.expires_at),
        })
    }
}
