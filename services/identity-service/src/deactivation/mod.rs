//! A person closes their account: nobody signs in to it any more, and all its sessions end. What is in it stays, and support can
//! open it again (`identity-service users reactivate`), but not the API keys and devices that acted for it: its owner is told, and makes others.

mod error;
pub(crate) mod routes;

use common_db::PgPool;
use common_events::{
    Actor,
    contracts::{UserDeactivated, UserUpdated},
};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

pub(crate) use self::error::DeactivationError;
use crate::{
    SERVICE_NAME,
    notices::{Notices, entity::Message},
    passwords::{
        self,
        proof::{self, Proofs},
    },
    reclaim::{Extent, Reclaim},
    sessions::{
        Sessions,
        entity::{EndReason, Which},
    },
    users::{self, ContactKind, Identifier, Users, entity::Outcome, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Deactivation {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) proofs: Proofs,
    pub(crate) notices: Notices,
    pub(crate) reclaim: Reclaim,
}

impl Deactivation {
    /// What is closed stays so, and nothing is published again.
    pub(crate) async fn deactivate(
        &self,
        id: UserId,
        password: SecretString,
    ) -> Result<(), DeactivationError> {
        let proved = self.proofs.check(id, password).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        proof::holds_in_op(&mut op, id, &proved).await?;
        if user.deactivate()? == Outcome::AlreadyApplied {
            return Ok(());
        }
        users::repo::update_status_in_op(&mut op, &user).await?;
        passwords::forget_resets_in_op(&mut op, id).await?;
        let taken = self.reclaim.take_in_op(&mut op, &mut user, Extent::Keys, Actor::user(id)).await?;
        let (which, reason) = (Which::All, EndReason::Deactivated);
        while self.sessions.end_in_op(&mut op, id, which, reason, Actor::user(id)).await? > 0 {}
        let notice =
            Message::account_deactivated(&user.trusted_contact(ContactKind::Email), &taken, user.at());
        self.notices.write_in_op(&mut op, &[notice]).await?;
        user.publish_in_op(&mut op, Actor::user(id), UserUpdated).await?;
        user.publish_in_op(&mut op, Actor::user(id), UserDeactivated).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %id, "account deactivated by its owner");
        Ok(())
    }
}

/// Opens an account again that its owner closed; an operator has made sure who asks. The owner is told, who may be somebody else.
pub(crate) async fn reactivate(
    users: &Users,
    notices: &Notices,
    identifier: &Identifier,
) -> Result<Outcome, DeactivationError> {
    let id = users.find(identifier).await?.ok_or(UserError::NotFound)?.id;
    let mut op = common_db::begin(&users.pool).await?;
    let user = users::repo::find_locked_in_op(&mut op, id, &users.clock).await?;
    let mut user = user.ok_or(UserError::NotFound)?;
    if user.reactivate()? == Outcome::AlreadyApplied {
        return Ok(Outcome::AlreadyApplied);
    }
    users::repo::update_status_in_op(&mut op, &user).await?;
    let notice = Message::account_reactivated(&user.trusted_contact(ContactKind::Email), user.at());
    notices.write_in_op(&mut op, &[notice]).await?;
    user.publish_in_op(&mut op, Actor::service(SERVICE_NAME), UserUpdated).await?;
    op.commit().await?;
    tracing::info!(user_id = %id, "account opened again by an operator");
    Ok(Outcome::Executed)
}
