//! What other services learn of a session: that it ended.

use chrono::{DateTime, Utc};
use common_events::contracts::{SessionEndSnapshot, SessionEnded};

use super::entity::{EndReason, Open};

impl Open {
    /// Access tokens of before are refused until then; none lives longer than the session.
    pub(crate) fn ended(
        &self,
        reason: EndReason,
        refused_until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> SessionEnded {
        SessionEnded(SessionEndSnapshot {
            user_id: self.user_id.uuid(),
            session_id: self.id.uuid(),
            reason: reason.name().to_owned(),
            ended_at: now,
            refused_until: refused_until.min(self.expires_at),
        })
    }
}
