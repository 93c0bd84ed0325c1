//! Another password: changed by who knows it, or reset by who has forgotten it.
//!
//! Both end sessions (a change all others, a reset all), tell the person, and publish `identity.user.password_changed`. Neither
//! signs in. Who has forgotten it may find that somebody else was in the account meanwhile, or made it: a reset takes away what acts for them
//! without it (`reclaim`). Hashing comes before the transaction; what has changed meanwhile is seen in it.

pub(crate) mod config;
mod error;
mod forgotten;
pub(crate) mod proof;
mod repo;
pub(crate) mod routes;

use std::sync::Arc;

use common_auth::{CurrentUser, password::Passwords};
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext,
    contracts::{PasswordChangeSnapshot, UserPasswordChanged, UserUpdated},
};
use common_utils::{clock::SharedClock, crypto::sealing::Sealer, ids::UserId};
use secrecy::SecretString;
use tokio::sync::Notify;

pub use self::config::ResetConfig;
use self::{error::PasswordChangeError, proof::Proofs};
use crate::{
    SERVICE_NAME,
    allowances::Allowances,
    auth::policy::PasswordPolicy,
    begun,
    crypto::token::SecretToken,
    guard::Guard,
    notices::{Notices, entity::Message},
    reclaim::{Extent, Reclaim, Taken},
    sessions::{
        Origin, Sessions,
        entity::{EndReason, SessionId, Which},
    },
    users::{self, ContactKind, LockedUser, Users, entity::User, error::UserError},
};

/// What forgotten passwords are encrypted for.
pub(crate) const PURPOSE: &str = "wallet-platform/forgotten-passwords/v1";

#[derive(Debug, Clone)]
pub(crate) struct PasswordChanges {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) passwords: Passwords,
    pub(crate) policy: PasswordPolicy,
    pub(crate) proofs: Proofs,
    pub(crate) guard: Guard,
    pub(crate) notices: Notices,
    pub(crate) allowances: Allowances,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) config: ResetConfig,
    pub(crate) reclaim: Reclaim,
    /// Says that somebody has forgotten their password.
    pub(crate) wake: Arc<Notify>,
}

/// By which way somebody came to another password.
#[derive(Clone, Copy)]
enum By<'a> {
    /// The hash that they proved to know.
    Change {
        known: &'a str,
        session: SessionId,
    },
    Reset {
        token: &'a SecretToken,
        origin: &'a Origin,
    },
}

impl By<'_> {
    fn name(self) -> &'static str {
        match self {
            Self::Change { .. } => "change",
            Self::Reset { .. } => "reset",
        }
    }

    fn ends(self) -> Which {
        match self {
            Self::Change { session, .. } => Which::Others(session),
            Self::Reset { .. } => Which::All,
        }
    }
}

/// What was sent to reset a password with opens nothing any more.
pub(crate) async fn forget_resets_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_resets_in_op(op, user).await
}

/// What is stored at this moment. Somebody's row is locked before it is changed.
pub(crate) async fn hash_in_op(op: &mut Op, user: UserId) -> sqlx::Result<Option<String>> {
    repo::find_hash(&mut **op, user).await
}

impl PasswordChanges {
    pub(crate) async fn change(
        &self,
        caller: &CurrentUser,
        current: SecretString,
        new: SecretString,
    ) -> Result<(), PasswordChangeError> {
        let user = self.users.get(caller.id).await?;
        if !user.is_active() {
            return Err(PasswordChangeError::Inactive);
        }
        self.policy.check(&new, &user.particulars())?;
        let known = self.proofs.check(caller.id, current).await?;
        let hash = self.passwords.hash(new).await?;
        let session = SessionId::from(caller.claims.sid);
        self.set(caller.id, &hash, By::Change { known: &known, session }).await
    }

    /// Sets another password for who holds a token that was sent to them. The token is good once; a password that is refused
    /// does not use it up.
    pub(crate) async fn reset(
        &self,
        token: &SecretToken,
        new: SecretString,
        origin: &Origin,
    ) -> Result<(), PasswordChangeError> {
        let id = repo::find_reset(&self.pool, token, self.clock.now()).await?;
        let user = self.users.get(id.ok_or(PasswordChangeError::InvalidToken)?).await?;
        if !user.is_active() {
            return Err(PasswordChangeError::InvalidToken);
        }
        self.policy.check(&new, &user.particulars())?;
        let hash = self.passwords.hash(new).await?;
        self.set(user.id, &hash, By::Reset { token, origin }).await
    }

    async fn set(&self, id: UserId, hash: &str, by: By<'_>) -> Result<(), PasswordChangeError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        let now = self.clock.now();
        if !user.is_active() {
            return Err(PasswordChangeError::Inactive);
        }
        let mut taken = Taken::default();
        match by {
            By::Change { known, .. } => {
                let known = repo::replace_in_op(&mut op, id, known, hash, now).await?;
                known.then_some(()).ok_or(PasswordChangeError::ChangedMeanwhile)?;
            }
            By::Reset { token, origin } => {
                let read = repo::use_reset_in_op(&mut op, id, token, now).await?;
                let read = read.ok_or(PasswordChangeError::InvalidToken)?;
                taken = self.take_in_op(&mut op, &mut user, read).await?;
                self.prove_in_op(&mut op, &mut user, read).await?;
                repo::set_in_op(&mut op, id, hash, now).await?;
                self.guard.proved_in_op(&mut op, &user, origin).await?;
            }
        }
        repo::delete_resets_in_op(&mut op, id).await?;
        begun::forget_in_op(&mut op, id).await?;
        let (which, reason) = (by.ends(), EndReason::PasswordChanged);
        while self.sessions.end_in_op(&mut op, id, which, reason, Actor::user(id)).await? > 0 {}
        self.tell_in_op(&mut op, &user, by, &taken).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %id, by = by.name(), "password changed");
        Ok(())
    }

    /// Where the contact was never proved, whoever set the account up may be somebody else, who had only heard of it.
    async fn take_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        read: ContactKind,
    ) -> Result<Taken, PasswordChangeError> {
        let extent = if user.is_verified(read) { Extent::Keys } else { Extent::Everything };
        let by = Actor::user(user.id);
        Ok(self.reclaim.take_in_op(op, user, extent, by).await?)
    }

    /// Who has a token reads what is sent to the contact, and no second one that was never proved outweighs it from now on.
    async fn prove_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        read: ContactKind,
    ) -> Result<(), PasswordChangeError> {
        if user.is_verified(read) {
            return Ok(());
        }
        let contact = user.contact(read);
        user.prove(contact);
        users::repo::update_contacts_in_op(op, user).await?;
        Ok(user.publish_in_op(op, Actor::user(user.id), UserUpdated).await?)
    }

    async fn tell_in_op(
        &self,
        op: &mut Op,
        user: &User,
        by: By<'_>,
        taken: &Taken,
    ) -> Result<(), PasswordChangeError> {
        let (to, now) = (user.trusted_contact(ContactKind::Email), self.clock.now());
        let notice = match by {
            By::Change { .. } => Message::password_changed(&to, now),
            By::Reset { .. } => Message::password_was_reset(&to, taken, now),
        };
        self.notices.write_in_op(op, &[notice]).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(user.id), now);
        let reason = by.name().to_owned();
        let change = PasswordChangeSnapshot { user_id: user.id.uuid(), reason, changed_at: now };
        Ok(users::publish_in_op(op, &context, &UserPasswordChanged(change)).await?)
    }
}
