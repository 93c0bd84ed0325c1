//! What other services learn of a person.

use common_events::contracts::{TierChangeSnapshot, UserRegistered, UserSnapshot, UserTierChanged};

use super::{
    LockedUser,
    entity::{TierChange, User},
};

/// Published by who has them locked ([`LockedUser::publish_in_op`]), or has just registered them.
pub(super) fn snapshot(user: &User) -> UserSnapshot {
    UserSnapshot {
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

/// Nothing was told of them before.
pub(crate) fn registered(user: &User) -> UserRegistered {
    UserRegistered(snapshot(user))
}

impl LockedUser {
    /// `evidence` is its kind.
    pub(crate) fn tier_changed(&self, change: TierChange, evidence: &str) -> UserTierChanged {
        UserTierChanged(TierChangeSnapshot {
            user_id: self.id.uuid(),
            old_tier: change.old,
            new_tier: change.new,
            evidence: evidence.to_owned(),
            changed_at: self.at(),
        })
    }
}
