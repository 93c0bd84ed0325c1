//! What other services learn of a person.

use chrono::{DateTime, Utc};
use common_events::contracts::{TierChangeSnapshot, UserSnapshot, UserTierChanged};

use super::entity::{TierChange, User};

impl From<&User> for UserSnapshot {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.id.uuid(),
            email: user.email.as_str().to_owned(),
            phone_number: user.phone_number.as_str().to_owned(),
            email_verified: Some(user.email_verified),
            phone_verified: Some(user.phone_verified),
            first_name: user.first_name.as_str().to_owned(),
            last_name: user.last_name.as_str().to_owned(),
            kyc_tier: user.kyc_tier,
            roles: user.role_names(),
            status: user.status.name().to_owned(),
            created_at: user.created_at,
        }
    }
}

impl User {
    /// `evidence` is its kind.
    pub(crate) fn tier_changed(
        &self,
        change: TierChange,
        evidence: &str,
        changed_at: DateTime<Utc>,
    ) -> UserTierChanged {
        UserTierChanged(TierChangeSnapshot {
            user_id: self.id.uuid(),
            old_tier: change.old,
            new_tier: change.new,
            evidence: evidence.to_owned(),
            changed_at,
        })
    }
}
