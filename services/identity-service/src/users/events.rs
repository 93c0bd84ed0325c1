//! What other services learn of a person.

use common_events::contracts::UserSnapshot;

use super::entity::User;

impl From<&User> for UserSnapshot {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.id.uuid(),
            email: user.email.as_str().to_owned(),
            phone_number: user.phone_number.as_str().to_owned(),
            first_name: user.first_name.as_str().to_owned(),
            last_name: user.last_name.as_str().to_owned(),
            kyc_tier: user.kyc_tier,
            roles: user.role_names(),
            status: user.status.name().to_owned(),
            created_at: user.created_at,
        }
    }
}
