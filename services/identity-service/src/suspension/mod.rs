//! Shuts an account on the operator's side, as for a suspicion of fraud, and opens it again: nobody signs in to it, its sessions end, and
//! no machine gets a token for it. Its owner neither opens nor closes it meanwhile, and cannot have it erased.
//!
//! Tokens that are about are refused by the event: other services take none of somebody who is not active, of people and of machines.

mod command;
mod error;

use common_db::{Op, PgPool};
use common_events::{Actor, contracts::UserUpdated};
use common_utils::clock::SharedClock;

pub(crate) use self::{
    command::{Suspend, Unsuspend},
    error::SuspensionError,
};
use crate::{
    SERVICE_NAME, begun,
    notices::{Notices, entity::Message},
    passwords,
    sessions::{
        Sessions,
        entity::{EndReason, Which},
    },
    users::{self, ContactKind, Identifier, LockedUser, entity::Outcome, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Suspensions {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) notices: Notices,
}

impl Suspensions {
    pub(crate) async fn suspend(&self, identifier: &Identifier) -> Result<Outcome, SuspensionError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = self.find_in_op(&mut op, identifier).await?;
        if user.suspend()? == Outcome::AlreadyApplied {
            return Ok(Outcome::AlreadyApplied);
        }
        // What would let somebody in once more.
        passwords::forget_resets_in_op(&mut op, user.id).await?;
        begun::forget_in_op(&mut op, user.id).await?;
        let (which, by) = (Which::All, || Actor::service(SERVICE_NAME));
        while self.sessions.end_in_op(&mut op, user.id, which, EndReason::Suspended, by()).await? > 0 {}
        let notice = Message::account_suspended(&user.trusted_contact(ContactKind::Email), user.at());
        self.save_in_op(&mut op, &user, notice).await?;
        op.commit().await?;
        tracing::warn!(security = true, user_id = %user.id, "account suspended by an operator");
        Ok(Outcome::Executed)
    }

    /// Sessions stay ended.
    pub(crate) async fn unsuspend(&self, identifier: &Identifier) -> Result<Outcome, SuspensionError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = self.find_in_op(&mut op, identifier).await?;
        if user.unsuspend()? == Outcome::AlreadyApplied {
            return Ok(Outcome::AlreadyApplied);
        }
        let notice = Message::account_unsuspended(&user.trusted_contact(ContactKind::Email), user.at());
        self.save_in_op(&mut op, &user, notice).await?;
        op.commit().await?;
        tracing::warn!(security = true, user_id = %user.id, "account opened again by an operator");
        Ok(Outcome::Executed)
    }

    async fn save_in_op(
        &self,
        op: &mut Op,
        user: &LockedUser,
        notice: Message,
    ) -> Result<(), SuspensionError> {
        users::repo::update_status_in_op(op, user).await?;
        self.notices.write_in_op(op, &[notice]).await?;
        Ok(user.publish_in_op(op, Actor::service(SERVICE_NAME), UserUpdated).await?)
    }

    async fn find_in_op(&self, op: &mut Op, identifier: &Identifier) -> Result<LockedUser, SuspensionError> {
        let known = users::repo::find_by(&mut **op, identifier).await?.ok_or(UserError::NotFound)?;
        let user = users::repo::find_locked_in_op(op, known.id, &self.clock).await?;
        Ok(user.ok_or(UserError::NotFound)?)
    }
}
