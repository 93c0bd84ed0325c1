//! A person, and the rules that hold for all of them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use common_auth::{Method, Role};
use common_utils::{
    contact::{Email, PhoneNumber},
    ids::UserId,
};

use super::{ContactKind, Identifier, PersonName, status::UserStatus};

/// Nothing about the person is verified.
pub(crate) const TIER_NONE: i16 = 0;
/// The bank verification number is.
pub(crate) const TIER_BVN: i16 = 1;

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
    /// What they prove who they are with beside the password.
    pub(crate) factors: BTreeSet<Method>,
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

/// Somebody else than its owner has closed the account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suspended;

/// Its owner has closed the account.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

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
            factors: BTreeSet::new(),
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

    /// What is asked for beside their password; where there is nothing, the password is enough.
    pub(crate) fn second_factors(&self) -> Vec<Method> {
        self.factors.iter().copied().filter(|method| method.is_second_factor()).collect()
    }

    pub(crate) fn add_factor(&mut self, method: Method) {
        self.factors.insert(method);
    }

    /// Recovery codes are for who has lost what they sign in with: they go with the last of it.
    pub(crate) fn remove_factor(&mut self, method: Method) {
        self.factors.remove(&method);
        if self.second_factors() == [Method::Recovery] {
            self.factors.remove(&Method::Recovery);
        }
    }

    /// Takes away those of them that they have, and tells which these are.
    pub(crate) fn lose(&mut self, methods: &[Method]) -> Vec<Method> {
        let lost: Vec<Method> =
            methods.iter().copied().filter(|method| self.factors.contains(method)).collect();
        for method in &lost {
            self.remove_factor(*method);
        }
        lost
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

    /// Everybody stays a `user`.
    pub(crate) fn revoke(&mut self, role: Role) -> Outcome {
        if role != Role::User && self.roles.remove(&role) {
            Outcome::Executed
        } else {
            Outcome::AlreadyApplied
        }
    }

    pub(crate) fn contact(&self, kind: ContactKind) -> Identifier {
        match kind {
            ContactKind::Email => Identifier::Email(self.email.clone()),
            ContactKind::Phone => Identifier::Phone(self.phone_number.clone()),
        }
    }

    pub(crate) fn is_verified(&self, kind: ContactKind) -> bool {
        match kind {
            ContactKind::Email => self.email_verified,
            ContactKind::Phone => self.phone_verified,
        }
    }

    /// They have proved that they read what is sent to this contact, which is theirs from now on. Answers the one before.
    pub(crate) fn prove(&mut self, contact: Identifier) -> Identifier {
        let before = self.contact(contact.kind());
        match contact {
            Identifier::Email(email) => (self.email, self.email_verified) = (email, true),
            Identifier::Phone(phone) => (self.phone_number, self.phone_verified) = (phone, true),
        }
        before
    }

    /// Where a person is written to, and where a forgotten password may be reset, for who tells this contact of theirs: there, or at the
    /// other one if only that is verified. An address that was mistyped belongs to a stranger, and is trusted only while nothing better is known.
    pub(crate) fn trusted_contact(&self, told: ContactKind) -> Identifier {
        let other = match told {
            ContactKind::Email => ContactKind::Phone,
            ContactKind::Phone => ContactKind::Email,
        };
        let trusted = if !self.is_verified(told) && self.is_verified(other) { other } else { told };
        self.contact(trusted)
    }

    /// Its owner has done with the account.
    pub(crate) fn deactivate(&mut self) -> Result<Outcome, Suspended> {
        match self.status {
            UserStatus::Closed => Ok(Outcome::AlreadyApplied),
            UserStatus::Suspended => Err(Suspended),
            UserStatus::Active => {
                self.status = UserStatus::Closed;
                Ok(Outcome::Executed)
            }
        }
    }

    /// Only what its owner closed: who suspended it lifts that.
    pub(crate) fn reactivate(&mut self) -> Result<Outcome, Suspended> {
        match self.status {
            UserStatus::Active => Ok(Outcome::AlreadyApplied),
            UserStatus::Suspended => Err(Suspended),
            UserStatus::Closed => {
                self.status = UserStatus::Active;
                Ok(Outcome::Executed)
            }
        }
    }

    /// An operator shuts it, whatever its owner wants.
    pub(crate) fn suspend(&mut self) -> Result<Outcome, Closed> {
        match self.status {
            UserStatus::Suspended => Ok(Outcome::AlreadyApplied),
            UserStatus::Closed => Err(Closed),
            UserStatus::Active => {
                self.status = UserStatus::Suspended;
                Ok(Outcome::Executed)
            }
        }
    }

    /// Only what an operator shut.
    pub(crate) fn unsuspend(&mut self) -> Result<Outcome, Closed> {
        match self.status {
            UserStatus::Active => Ok(Outcome::AlreadyApplied),
            UserStatus::Closed => Err(Closed),
            UserStatus::Suspended => {
                self.status = UserStatus::Active;
                Ok(Outcome::Executed)
            }
        }
    }

    /// Nothing is left by which the person is known but the id: pseudonyms that are nobody's, and as unique as what they replace.
    /// Somebody suspended stays known to who suspended them.
    pub(crate) fn erase(&mut self) -> Result<(), Suspended> {
        self.deactivate()?;
        (self.email, self.phone_number) = pseudonyms(self.id);
        (self.email_verified, self.phone_verified) = (false, false);
        (self.first_name, self.last_name) = (PersonName::erased(), PersonName::erased());
        self.factors.clear();
        Ok(())
    }

    /// What they told when they registered, as it is now.
    pub(crate) fn particulars(&self) -> NewUser {
        NewUser {
            email: self.email.clone(),
            phone_number: self.phone_number.clone(),
            first_name: self.first_name.clone(),
            last_name: self.last_name.clone(),
        }
    }

    /// Reaches the tier; one that was reached stays. Tells what changed, if anything did.
    pub(crate) fn reach_tier(&mut self, tier: i16) -> Option<TierChange> {
        let change = TierChange { old: self.kyc_tier, new: self.kyc_tier.max(tier) };
        self.kyc_tier = change.new;
        (change.new != change.old).then_some(change)
    }

    /// What was verified is too old. Nobody rises by it.
    pub(crate) fn fall_to_tier(&mut self, tier: i16) -> Option<TierChange> {
        let change = TierChange { old: self.kyc_tier, new: self.kyc_tier.min(tier) };
        self.kyc_tier = change.new;
        (change.new != change.old).then_some(change)
    }
}

/// An address under a domain that never is one (RFC 2606), and a number under a country code that nobody has (ITU-T E.164).
fn pseudonyms(id: UserId) -> (Email, PhoneNumber) {
    // The last bits of the id are random.
    let digits = id.uuid().as_u128() % 1_000_000_000_000;
    (
        Email::from_stored(format!("{id}@erased.invalid")),
        PhoneNumber::from_stored(format!("+999{digits:012}")),
    )
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
    fn who_is_erased_is_known_by_their_id_alone() {
        let mut person = User { email_verified: true, kyc_tier: TIER_BVN, ..user() };
        person.erase().unwrap();
        assert_eq!(person.email.as_str(), format!("{}@erased.invalid", person.id));
        let number = person.phone_number.as_str();
        assert!(number.starts_with("+999") && number.len() == 16, "{number}");
        assert_eq!((person.first_name.as_str(), person.last_name.as_str()), ("Erased", "Erased"));
        assert_eq!((person.status, person.email_verified), (UserStatus::Closed, false));
        let mut suspended = User { status: UserStatus::Suspended, ..user() };
        assert_eq!(suspended.erase(), Err(Suspended));
        assert_eq!(suspended.email.as_str(), "ada@example.com");
    }

    #[test]
    fn tiers_rise_and_fall_apart_and_roles_are_granted_once() {
        let mut user = user();
        assert_eq!(user.reach_tier(2), Some(TierChange { old: TIER_NONE, new: 2 }));
        assert_eq!((user.reach_tier(2), user.reach_tier(TIER_BVN)), (None, None));
        assert_eq!(user.kyc_tier, 2);
        assert_eq!(user.fall_to_tier(3), None);
        assert_eq!(user.fall_to_tier(1), Some(TierChange { old: 2, new: 1 }));
        assert_eq!(user.grant(Role::Support), Outcome::Executed);
        assert_eq!(user.grant(Role::Support), Outcome::AlreadyApplied);
        assert_eq!(user.roles.iter().copied().collect::<Vec<_>>(), [Role::User, Role::Support]);
        assert_eq!(user.revoke(Role::Support), Outcome::Executed);
        assert_eq!(
            (user.revoke(Role::Support), user.revoke(Role::User)),
            (Outcome::AlreadyApplied, Outcome::AlreadyApplied)
        );
        assert_eq!(user.roles.iter().copied().collect::<Vec<_>>(), [Role::User]);
    }

    #[test]
    fn what_is_proved_is_theirs_and_verified() {
        let mut user = user();
        let contact = Identifier::Email("other@example.com".parse().unwrap());
        assert_eq!(user.prove(contact.clone()).as_str(), "ada@example.com");
        assert_eq!((user.contact(ContactKind::Email), user.is_verified(ContactKind::Email)), (contact, true));
        assert!(!user.is_verified(ContactKind::Phone));
    }

    #[test]
    fn a_forgotten_password_is_reset_where_something_is_verified() {
        let mut user = user();
        let told = |user: &User, kind| user.trusted_contact(kind).kind();
        assert_eq!(told(&user, ContactKind::Email), ContactKind::Email, "nothing better is known");
        user.phone_verified = true;
        assert_eq!(told(&user, ContactKind::Email), ContactKind::Phone);
        user.email_verified = true;
        assert_eq!(told(&user, ContactKind::Email), ContactKind::Email);
    }

    #[test]
    fn recovery_codes_are_lost_with_the_last_second_factor() {
        use Method::{Device, Passkey, Pin, Recovery, Totp};
        let mut user = User { factors: [Totp, Passkey, Recovery, Device, Pin].into(), ..user() };
        assert_eq!(user.lose(&[Device, Totp]), [Device, Totp]);
        assert_eq!(user.second_factors(), [Recovery, Passkey]);
        assert_eq!(user.lose(&[Device, Passkey]), [Passkey]);
        assert_eq!(user.factors, [Pin].into());
    }

    #[test]
    fn what_its_owner_closed_is_opened_again_and_nothing_else() {
        let mut user = user();
        assert_eq!(user.reactivate(), Ok(Outcome::AlreadyApplied));
        assert_eq!(user.deactivate(), Ok(Outcome::Executed));
        assert_eq!(user.deactivate(), Ok(Outcome::AlreadyApplied));
        assert_eq!(user.reactivate(), Ok(Outcome::Executed));
        assert!(user.is_active());
        assert_eq!(user.unsuspend(), Ok(Outcome::AlreadyApplied));
        assert_eq!((user.suspend(), user.suspend()), (Ok(Outcome::Executed), Ok(Outcome::AlreadyApplied)));
        assert_eq!((user.reactivate(), user.deactivate()), (Err(Suspended), Err(Suspended)));
        assert_eq!(user.unsuspend(), Ok(Outcome::Executed));
        assert_eq!(user.deactivate(), Ok(Outcome::Executed));
        assert_eq!((user.suspend(), user.unsuspend()), (Err(Closed), Err(Closed)));
    }
}
