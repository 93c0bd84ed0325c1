//! A person, and the rules that hold for all of them.

use std::{collections::BTreeSet, str::FromStr};

use chrono::{DateTime, Utc};
use common_auth::Role;
use common_utils::{
    contact::{Email, PhoneNumber},
    ids::UserId,
};

use super::PersonName;

/// Nothing about the person is verified.
pub(crate) const TIER_NONE: i16 = 0;
/// The bank verification number is.
pub(crate) const TIER_BVN: i16 = 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserStatus {
    Active,
    Suspended,
    Closed,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is no status of a user")]
pub(crate) struct UnknownStatus(String);

impl UserStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for UserStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        [Self::Active, Self::Suspended, Self::Closed]
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}

/// Somebody who registered, or a member of staff.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct User {
    pub(crate) id: UserId,
    pub(crate) email: Email,
    pub(crate) phone_number: PhoneNumber,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
    pub(crate) email_verified: bool,
    pub(crate) phone_verified: bool,
    pub(crate) kyc_tier: i16,
    /// Everybody is a `user`.
    pub(crate) roles: BTreeSet<Role>,
    /// Roles that only a newer release knows: they allow nothing here, and are kept and told as they are.
    pub(crate) other_roles: Vec<String>,
    pub(crate) status: UserStatus,
    pub(crate) created_at: DateTime<Utc>,
}

/// What somebody tells of themselves when they register.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewUser {
    pub(crate) email: Email,
    pub(crate) phone_number: PhoneNumber,
    pub(crate) first_name: PersonName,
    pub(crate) last_name: PersonName,
}

/// New names; what is left out stays as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProfileChange {
    pub(crate) first_name: Option<PersonName>,
    pub(crate) last_name: Option<PersonName>,
}

/// What a command changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Executed,
    AlreadyApplied,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TierChange {
    pub(crate) old: i16,
    pub(crate) new: i16,
}

/// The names were checked against the bank verification number and stay as they are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamesVerified;

impl User {
    pub(crate) fn register(new: NewUser, staff_role: Option<Role>, now: DateTime<Utc>) -> Self {
        Self {
            id: UserId::new(),
            email: new.email,
            phone_number: new.phone_number,
            first_name: new.first_name,
            last_name: new.last_name,
            email_verified: false,
            phone_verified: false,
            kyc_tier: TIER_NONE,
            roles: [Role::User].into_iter().chain(staff_role).collect(),
            other_roles: Vec::new(),
            status: UserStatus::Active,
            created_at: now,
        }
    }

    /// As they are stored and told to other services.
    pub(crate) fn role_names(&self) -> Vec<String> {
        let known = self.roles.iter().map(|role| role.name().to_owned());
        known.chain(self.other_roles.iter().cloned()).collect()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.status == UserStatus::Active
    }

    pub(crate) fn change_profile(&mut self, change: ProfileChange) -> Result<Outcome, NamesVerified> {
        let first_name = change.first_name.unwrap_or_else(|| self.first_name.clone());
        let last_name = change.last_name.unwrap_or_else(|| self.last_name.clone());
        if first_name == self.first_name && last_name == self.last_name {
            return Ok(Outcome::AlreadyApplied);
        }
        if self.kyc_tier > TIER_NONE {
            return Err(NamesVerified);
        }
        (self.first_name, self.last_name) = (first_name, last_name);
        Ok(Outcome::Executed)
    }

    pub(crate) fn grant(&mut self, role: Role) -> Outcome {
        if self.roles.insert(role) { Outcome::Executed } else { Outcome::AlreadyApplied }
    }

    /// Reaches the tier; one that was reached stays. Tells what changed, if anything did.
    pub(crate) fn reach_tier(&mut self, tier: i16) -> Option<TierChange> {
        let change = TierChange { old: self.kyc_tier, new: self.kyc_tier.max(tier) };
        self.kyc_tier = change.new;
        (change.new != change.old).then_some(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> User {
        let new = NewUser {
            email: "ada@example.com".parse().unwrap(),
            phone_number: "+2348031234567".parse().unwrap(),
            first_name: "Ada".parse().unwrap(),
            last_name: "Obi".parse().unwrap(),
        };
        User::register(new, None, DateTime::UNIX_EPOCH)
    }

    fn names(first: &str) -> ProfileChange {
        ProfileChange { first_name: Some(first.parse().unwrap()), last_name: None }
    }

    #[test]
    fn names_change_until_they_are_verified() {
        let mut user = user();
        assert_eq!(user.change_profile(names("Ada")), Ok(Outcome::AlreadyApplied));
        assert_eq!(user.change_profile(names("Adaeze")), Ok(Outcome::Executed));
        user.reach_tier(TIER_BVN);
        assert_eq!(user.change_profile(names("Adaeze")), Ok(Outcome::AlreadyApplied));
        assert_eq!(user.change_profile(names("Ada")), Err(NamesVerified));
        assert_eq!(user.first_name.as_str(), "Adaeze");
    }

    #[test]
    fn tiers_only_rise_and_roles_are_granted_once() {
        let mut user = user();
        assert_eq!(user.reach_tier(2), Some(TierChange { old: TIER_NONE, new: 2 }));
        assert_eq!((user.reach_tier(2), user.reach_tier(TIER_BVN)), (None, None));
        assert_eq!(user.kyc_tier, 2);
        assert_eq!(user.grant(Role::Support), Outcome::Executed);
        assert_eq!(user.grant(Role::Support), Outcome::AlreadyApplied);
        assert_eq!(user.roles.iter().copied().collect::<Vec<_>>(), [Role::User, Role::Support]);
    }
}
