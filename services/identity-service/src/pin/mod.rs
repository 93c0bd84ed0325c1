//! The transaction PIN: four to six digits that approve what moves money. It signs nobody in, and is no second factor.
//!
//! An attempt counts as wrong before it is looked at, in a transaction of its own, and one that turns out to be right takes it back: however
//! many come at one moment, five wrong ones in a row lock the PIN. Then only another one helps, which is set with the password. NIST SP
//! 800-63B-4 would allow a hundred.
//!
//! Ten thousand PINs are soon tried against a stolen hash. So what is hashed is not the PIN but its keyed hash, under a key that is not in the
//! database.

mod entity;
pub(crate) mod error;
mod pepper;
mod repo;
pub(crate) mod routes;

use common_auth::{CurrentUser, Method, password::Passwords};
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext,
    contracts::{PinLockSnapshot, UserPinLocked},
};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

pub(crate) use self::{entity::Pin, pepper::Pepper};
use self::{entity::StoredPin, error::PinError};
use crate::{
    SERVICE_NAME, metrics,
    notices::{Notices, entity::Message},
    passwords::proof::{self, Proofs},
    sessions::{AccessToken, Sessions, entity::SessionId},
    users::{self, ContactKind, LockedUser, entity::User, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Pins {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) passwords: Passwords,
    pub(crate) proofs: Proofs,
    pub(crate) sessions: Sessions,
    pub(crate) notices: Notices,
    pub(crate) pepper: Pepper,
}

/// Somebody who has told the right PIN, in the transaction that takes the count back.
struct Proved {
    op: Op,
    user: LockedUser,
}

impl Pins {
    /// Sets a PIN with the password, whether there was one or not, and whether that was locked.
    pub(crate) async fn set(&self, id: UserId, pin: Pin, password: SecretString) -> Result<(), PinError> {
        pin.check()?;
        let proved = self.proofs.check(id, password).await?;
        let hash = self.passwords.hash(self.pepper.add(id, &pin)).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, id, &self.clock).await?;
        proof::holds_in_op(&mut op, id, &proved).await?;
        user.add_factor(Method::Pin);
        users::repo::update_factors_in_op(&mut op, &user).await?;
        self.write(op, &user, &hash).await
    }

    /// Another PIN for who knows the present one.
    pub(crate) async fn change(&self, id: UserId, current: Pin, new: Pin) -> Result<(), PinError> {
        new.check()?;
        // Before the transaction: it takes long.
        let hash = self.passwords.hash(self.pepper.add(id, &new)).await?;
        let Proved { op, user } = self.prove(id, &current).await?;
        self.write(op, &user, &hash).await
    }

    async fn write(&self, mut op: Op, user: &User, hash: &str) -> Result<(), PinError> {
        let now = self.clock.now();
        repo::set_in_op(&mut op, user.id, hash, now).await?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(&mut op, &[Message::pin_set(&to, now)]).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, "transaction PIN set");
        Ok(())
    }

    /// Approves: the access token that it answers says when the PIN was told.
    pub(crate) async fn verify(&self, caller: &CurrentUser, pin: Pin) -> Result<AccessToken, PinError> {
        let Proved { mut op, user } = self.prove(caller.id, &pin).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, Method::Pin).await?;
        op.commit().await?;
        tracing::info!(user_id = %user.id, "transaction PIN given");
        Ok(access)
    }

    async fn prove(&self, id: UserId, pin: &Pin) -> Result<Proved, PinError> {
        let hash = self.count_attempt(id).await?;
        let verified = self.passwords.verify(self.pepper.add(id, pin), Some(hash.clone())).await;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, id, &self.clock).await?;
        let stored = repo::find_locked_in_op(&mut op, id).await?.filter(|stored| stored.hash == hash);
        let mut stored = stored.ok_or(PinError::ChangedMeanwhile)?;
        match verified {
            Ok(true) if stored.locked_at.is_some() => Err(PinError::Locked),
            Ok(true) => {
                stored.failures = 0;
                repo::count_in_op(&mut op, id, &stored).await?;
                metrics::pin_checked("right");
                Ok(Proved { op, user })
            }
            Ok(false) => self.refuse(op, &user, stored).await,
            // It was not looked at.
            Err(error) => {
                stored.failures = stored.failures.saturating_sub(1).max(0);
                repo::count_in_op(&mut op, id, &stored).await?;
                op.commit().await?;
                Err(error.into())
            }
        }
    }

    /// Answers the hash that the PIN is held against.
    async fn count_attempt(&self, id: UserId) -> Result<String, PinError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut stored = repo::find_locked_in_op(&mut op, id).await?.ok_or(PinError::NotSet)?;
        if !stored.attempt() {
            metrics::pin_checked("locked");
            return Err(PinError::Locked);
        }
        repo::count_in_op(&mut op, id, &stored).await?;
        op.commit().await?;
        Ok(stored.hash)
    }

    /// The fifth in a row locks it, and its owner is told.
    async fn refuse(&self, mut op: Op, user: &User, mut stored: StoredPin) -> Result<Proved, PinError> {
        let now = self.clock.now();
        metrics::pin_checked("wrong");
        tracing::warn!(user_id = %user.id, "a wrong transaction PIN");
        if stored.refuse(now) {
            repo::count_in_op(&mut op, user.id, &stored).await?;
            let to = user.trusted_contact(ContactKind::Email);
            self.notices.write_in_op(&mut op, &[Message::pin_locked(&to, now)]).await?;
            let context = EventContext::new(SERVICE_NAME, Actor::user(user.id), now);
            let locked = PinLockSnapshot { user_id: user.id.uuid(), locked_at: now };
            users::publish_in_op(&mut op, &context, &UserPinLocked(locked)).await?;
            op.commit().await?;
            self.notices.wake();
            tracing::warn!(user_id = %user.id, "the transaction PIN is locked");
        }
        Err(PinError::Wrong { left: stored.left() })
    }
}

/// It approves nothing any more. Under the lock of the person's row.
pub(crate) async fn forget_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_in_op(op, user).await
}

/// The person, locked, if they may do anything.
async fn active_in_op(op: &mut Op, id: UserId, clock: &SharedClock) -> Result<LockedUser, PinError> {
    let user = users::repo::find_locked_in_op(op, id, clock).await?.ok_or(UserError::NotFound)?;
    if user.is_active() { Ok(user) } else { Err(PinError::Inactive) }
}
