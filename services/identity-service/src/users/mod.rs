//! People: their profile and roles. How they prove who they are is in `auth`, what is verified of them in `kyc`.

pub(crate) mod entity;
pub(crate) mod error;
mod events;
mod locked;
mod name;
pub(crate) mod repo;
pub(crate) mod routes;
mod status;

pub(crate) use events::registered;
pub(crate) use locked::LockedUser;
pub(crate) use name::PersonName;

use std::str::FromStr;

use common_auth::Role;
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{EventData, UserUpdated},
    outbox,
};
use common_utils::{
    clock::SharedClock,
    contact::{Email, PhoneNumber},
    ids::UserId,
};

use crate::SERVICE_NAME;
use entity::{Outcome, ProfileChange, User};
use error::UserError;

/// How a person is found: by one of the two things only they have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Identifier {
    Email(Email),
    Phone(PhoneNumber),
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContactKind {
    Email,
    Phone,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is no kind of contact")]
pub(crate) struct UnknownContactKind(String);

impl ContactKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }
}

impl FromStr for ContactKind {
    type Err = UnknownContactKind;

    fn from_str(name: &str) -> Result<Self, UnknownContactKind> {
        [Self::Email, Self::Phone]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownContactKind(name.to_owned()))
    }
}

impl Identifier {
    /// None for what is neither: nobody has it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.contains('@') {
            text.parse().map(Self::Email).ok()
        } else {
            text.parse().map(Self::Phone).ok()
        }
    }

    pub(crate) fn kind(&self) -> ContactKind {
        match self {
            Self::Email(_) => ContactKind::Email,
            Self::Phone(_) => ContactKind::Phone,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Email(email) => email.as_str(),
            Self::Phone(phone) => phone.as_str(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Users {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
}

impl Users {
    pub(crate) async fn get(&self, id: UserId) -> Result<User, UserError> {
        repo::find(&self.pool, id).await?.ok_or(UserError::NotFound)
    }

    pub(crate) async fn find(&self, identifier: &Identifier) -> Result<Option<User>, UserError> {
        repo::find_by(&self.pool, identifier).await
    }

    /// Changes names. What is already so changes nothing and publishes nothing.
    pub(crate) async fn change_profile(&self, id: UserId, change: ProfileChange) -> Result<User, UserError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = repo::find_locked_in_op(&mut op, id, &self.clock).await?.ok_or(UserError::NotFound)?;
        if user.change_profile(change)? == Outcome::Executed {
            save_in_op(&mut op, &user, Actor::user(id)).await?;
        }
        op.commit().await?;
        Ok(user.into())
    }

    /// Gives a role to somebody who is registered.
    pub(crate) async fn grant_role(&self, identifier: &Identifier, role: Role) -> Result<Outcome, UserError> {
        self.change_roles(identifier, |user| user.grant(role)).await
    }

    /// Takes a role away. Tokens that carry it are refused from then on.
    pub(crate) async fn revoke_role(
        &self,
        identifier: &Identifier,
        role: Role,
    ) -> Result<Outcome, UserError> {
        self.change_roles(identifier, |user| user.revoke(role)).await
    }

    async fn change_roles(
        &self,
        identifier: &Identifier,
        change: impl FnOnce(&mut User) -> Outcome,
    ) -> Result<Outcome, UserError> {
        let id = self.find(identifier).await?.ok_or(UserError::NotFound)?.id;
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = repo::find_locked_in_op(&mut op, id, &self.clock).await?.ok_or(UserError::NotFound)?;
        let outcome = change(&mut user);
        if outcome == Outcome::Executed {
            save_in_op(&mut op, &user, Actor::service(SERVICE_NAME)).await?;
        }
        op.commit().await?;
        Ok(outcome)
    }
}

async fn save_in_op(op: &mut Op, user: &LockedUser, by: Actor) -> Result<(), UserError> {
    repo::update_in_op(op, user).await?;
    user.publish_in_op(op, by, UserUpdated).await
}

/// Writes an event about a person into the outbox, other than how they are: that is [`LockedUser::publish_in_op`].
pub(crate) async fn publish_in_op<T: EventData>(
    op: &mut Op,
    context: &EventContext,
    event: &T,
) -> Result<(), UserError> {
    Ok(outbox::publish_in_op(op, &[NewEvent::new(context, event)?]).await?)
}
