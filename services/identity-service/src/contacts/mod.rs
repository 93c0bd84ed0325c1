//! How a person is reached: proving that an e-mail address or phone number is theirs, and changing it to another one.
//!
//! Both are one-time codes (`codes`), of different purposes. A code for another address goes to that address whether somebody
//! has it or not, and only who reads it there learns at the end that it is taken: so nobody can find out by asking who is
//! registered. The old address stays in force until then, and is told afterwards. A change that is not confirmed is gone with its
//! code.

mod error;
pub(crate) mod routes;

use common_auth::CurrentUser;
use common_db::{Op, PgPool};
use common_events::{Actor, contracts::UserUpdated};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

use self::error::ContactError;
use crate::{
    allowances::{Allowance, Allowances, Counted},
    begun,
    codes::{
        Codes, Presented,
        entity::{Code, Purpose},
        error::CodeError,
    },
    notices::{Notices, entity::Message},
    passwords::{
        self,
        proof::{self, Proofs},
    },
    users::{self, ContactKind, Identifier, LockedUser, entity::User, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Contacts {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) codes: Codes,
    pub(crate) notices: Notices,
    pub(crate) allowances: Allowances,
    pub(crate) proofs: Proofs,
}

fn verifying(kind: ContactKind) -> Purpose {
    match kind {
        ContactKind::Email => Purpose::VerifyEmail,
        ContactKind::Phone => Purpose::VerifyPhone,
    }
}

fn changing(kind: ContactKind) -> Purpose {
    match kind {
        ContactKind::Email => Purpose::ChangeEmail,
        ContactKind::Phone => Purpose::ChangePhone,
    }
}

impl Contacts {
    /// Sends a code to the address or number that the person has.
    pub(crate) async fn send(&self, id: UserId, kind: ContactKind) -> Result<(), ContactError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, id, &self.clock).await?;
        if user.is_verified(kind) {
            return Err(ContactError::Verified);
        }
        self.codes.send_in_op(&mut op, id, verifying(kind), &user.contact(kind)).await?;
        op.commit().await?;
        self.notices.wake();
        Ok(())
    }

    /// What is verified stays so, and nothing is published again.
    pub(crate) async fn verify(
        &self,
        id: UserId,
        kind: ContactKind,
        code: &Code,
    ) -> Result<User, ContactError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, id, &self.clock).await?;
        if user.is_verified(kind) {
            return Ok(user.into());
        }
        match self.codes.present_in_op(&mut op, id, verifying(kind), code).await? {
            // One that was sent to the address that they had before proves nothing of this one.
            Presented::Right { contact, .. } if contact == user.contact(kind) => {
                self.prove(op, user, contact).await
            }
            Presented::Wrong => refuse(op, ContactError::Wrong).await,
            Presented::Right { .. } | Presented::Dead => refuse(op, ContactError::Dead).await,
        }
    }

    /// Sends a code to another address or number. A contact that had too many codes gets none, and nobody is told: that would
    /// tell that somebody else asks for codes there.
    pub(crate) async fn ask_to_change(
        &self,
        id: UserId,
        new: Identifier,
        password: SecretString,
    ) -> Result<(), ContactError> {
        let proved = self.proofs.check(id, password).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, id, &self.clock).await?;
        proof::holds_in_op(&mut op, id, &proved).await?;
        if user.contact(new.kind()) == new {
            return Err(ContactError::Unchanged(new.kind()));
        }
        self.allowances.take_in_op(&mut op, Counted::ChangesBy(id), Allowance::MESSAGES).await??;
        match self.codes.send_in_op(&mut op, id, changing(new.kind()), &new).await {
            Ok(()) | Err(CodeError::TooOften(_)) => {}
            Err(error) => return Err(error.into()),
        }
        op.commit().await?;
        self.notices.wake();
        Ok(())
    }

    /// The new contact takes the place of the old one, which is told. Confirmed again, it changes nothing more.
    pub(crate) async fn change(
        &self,
        caller: &CurrentUser,
        kind: ContactKind,
        code: &Code,
    ) -> Result<User, ContactError> {
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        begun::require(&user, caller)?;
        match self.codes.present_in_op(&mut op, user.id, changing(kind), code).await? {
            Presented::Right { contact, repeated: true } if contact == user.contact(kind) => Ok(user.into()),
            Presented::Right { contact, repeated: false } => self.prove(op, user, contact).await,
            Presented::Wrong => refuse(op, ContactError::Wrong).await,
            Presented::Right { .. } | Presented::Dead => refuse(op, ContactError::Dead).await,
        }
    }

    /// Fails where somebody else has the contact, and takes nothing back: the code can be confirmed again.
    async fn prove(
        &self,
        mut op: Op,
        mut user: LockedUser,
        contact: Identifier,
    ) -> Result<User, ContactError> {
        let before = user.prove(contact.clone());
        users::repo::update_contacts_in_op(&mut op, &user).await?;
        if before != contact {
            // What was sent to the old one opens nothing any more.
            passwords::forget_resets_in_op(&mut op, user.id).await?;
            self.notices.write_in_op(&mut op, &[Message::contact_changed(&before, user.at())]).await?;
        }
        user.publish_in_op(&mut op, Actor::user(user.id), UserUpdated).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, kind = ?contact.kind(), changed = before != contact, "contact proved");
        Ok(user.into())
    }
}

/// The attempt counts all the same.
async fn refuse(op: Op, error: ContactError) -> Result<User, ContactError> {
    op.commit().await?;
    Err(error)
}

async fn active_in_op(op: &mut Op, id: UserId, clock: &SharedClock) -> Result<LockedUser, ContactError> {
    let user = users::repo::find_locked_in_op(op, id, clock).await?.ok_or(UserError::NotFound)?;
    if user.is_active() { Ok(user) } else { Err(ContactError::Inactive) }
}
