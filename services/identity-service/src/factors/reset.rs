//! Takes all second factors from somebody who has lost them, and whatever else acts for them without their password: done by an operator on
//! the machine, who has made sure who asks. A thief who has got hold of the account is out by it: sessions end, too. The person is told, and signs
//! in with the password alone from then on.

use common_events::Actor;

use super::error::FactorError;
use crate::{
    SERVICE_NAME,
    notices::{Notices, entity::Message},
    reclaim::{Extent, Reclaim},
    sessions::{
        Sessions,
        entity::{EndReason, Which},
    },
    users::{self, ContactKind, Identifier, Users, entity::Outcome, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct FactorReset {
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) notices: Notices,
    pub(crate) reclaim: Reclaim,
}

impl FactorReset {
    /// Of who has nothing and is signed in nowhere, nothing is changed.
    pub(crate) async fn reset(&self, identifier: &Identifier) -> Result<Outcome, FactorError> {
        let id = self.users.find(identifier).await?.ok_or(UserError::NotFound)?.id;
        let by = Actor::service(SERVICE_NAME);
        let mut op = common_db::begin(&self.users.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.users.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        let taken = self.reclaim.take_in_op(&mut op, &mut user, Extent::Everything, by.clone()).await?;
        let (which, reason, mut ended) = (Which::All, EndReason::FactorsReset, 0);
        loop {
            match self.sessions.end_in_op(&mut op, id, which, reason, by.clone()).await? {
                0 => break,
                more => ended += more,
            }
        }
        if taken.is_nothing() && ended == 0 {
            return Ok(Outcome::AlreadyApplied);
        }
        let to = user.trusted_contact(ContactKind::Email);
        let notice = Message::factors_reset(&to, &taken, user.at());
        self.notices.write_in_op(&mut op, &[notice]).await?;
        op.commit().await?;
        tracing::warn!(user_id = %id, ended, "second factors were taken away by an operator");
        Ok(Outcome::Executed)
    }
}
