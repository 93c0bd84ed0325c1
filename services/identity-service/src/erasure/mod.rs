//! A person has themselves erased, in two steps.
//!
//! At once: the account is closed, its sessions end and its API keys are revoked; e-mail address, phone number and names give way to pseudonyms, so that the old ones
//! are free; what they signed in with and what is known of where from is deleted. Who they were, and the evidence by which they were verified,
//! stay encrypted under their own key. Reviewers may open the applications, for whoever the law lets ask, and each look is kept; no other
//! call answers with them.
//!
//! When the law has it kept no longer ([`entity::RETENTION_DAYS`]), a worker deletes that key, and with it everything that is encrypted under it,
//! in every copy of this database's rows; a backup from before has the key, too, and goes when backups go. The id stays, for ledgers and audit logs of other services name it.

pub(crate) mod entity;
mod error;
mod forgetting;
mod repo;
pub(crate) mod routes;

use chrono::TimeDelta;
use common_db::PgPool;
use common_events::{
    Actor, EventContext,
    contracts::{UserErased, UserUpdated},
};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;

use self::entity::Erasure;
pub(crate) use self::error::ErasureError;
use crate::{
    SERVICE_NAME,
    api_keys::ApiKeys,
    crypto::{
        data_key::{Field, Place},
        vault::Vault,
    },
    guard::Guard,
    kyc::{self, cases::Cases},
    metrics,
    notices::{Notices, entity::Message},
    passwords::proof::{self, Proofs},
    sessions::{
        Sessions,
        entity::{EndReason, Which},
    },
    users::{self, ContactKind, Identifier, Users, entity::User, error::UserError},
};

#[derive(Debug, Clone)]
pub(crate) struct Erasures {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) api_keys: ApiKeys,
    pub(crate) proofs: Proofs,
    pub(crate) guard: Guard,
    pub(crate) notices: Notices,
    pub(crate) vault: Vault,
    pub(crate) cases: Cases,
    pub(crate) retention: TimeDelta,
}

impl Erasures {
    /// By the person, who proves to be it.
    pub(crate) async fn erase(&self, id: UserId, password: SecretString) -> Result<Erasure, ErasureError> {
        let proved = self.proofs.check(id, password).await?;
        self.apply(id, Some(&proved), Actor::user(id)).await
    }

    /// By support, on the person's written request: who closed their account cannot sign in to ask.
    pub(crate) async fn erase_for(&self, identifier: &Identifier) -> Result<Erasure, ErasureError> {
        let id = self.users.find(identifier).await?.ok_or(UserError::NotFound)?.id;
        self.apply(id, None, Actor::service(SERVICE_NAME)).await
    }

    /// Who is erased stays so, and nothing is published again.
    async fn apply(&self, id: UserId, proved: Option<&str>, by: Actor) -> Result<Erasure, ErasureError> {
        let key = self.vault.key(id).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, id, &self.clock).await?;
        let mut user = user.ok_or(UserError::NotFound)?;
        if let Some(before) = repo::find(&mut *op, id).await? {
            return Ok(before);
        }
        if let Some(proved) = proved {
            proof::holds_in_op(&mut op, id, proved).await?;
        }
        let was = User::clone(&user);
        self.cases.end_open_in_op(&mut op, &user, by.clone()).await?;
        user.erase()?;
        let now = self.clock.now();
        let erasure = Erasure::new(id, self.retention, now);
        let profile = key.seal(&Place::new(id, Field::Profile), &entity::profile(&was.particulars())?)?;
        repo::insert_in_op(&mut op, &erasure, &profile).await?;
        users::repo::replace_in_op(&mut op, &user).await?;
        users::repo::update_factors_in_op(&mut op, &user).await?;
        kyc::repo::release_number_in_op(&mut op, id, &rand::random()).await?;
        kyc::numbers::release_in_op(&mut op, id, &rand::random()).await?;
        let (which, reason) = (Which::All, EndReason::Erased);
        while self.sessions.end_in_op(&mut op, id, which, reason, by.clone()).await? > 0 {}
        self.api_keys.revoke_all_in_op(&mut op, id, by.clone()).await?;
        repo::forget_access_in_op(&mut op, id).await?;
        repo::forget_factors_in_op(&mut op, id).await?;
        self.guard.forget_in_op(&mut op, &was).await?;
        let notice = Message::account_erased(&was.trusted_contact(ContactKind::Email), now);
        self.notices.write_in_op(&mut op, &[notice]).await?;
        user.publish_in_op(&mut op, by.clone(), UserUpdated).await?;
        let context = EventContext::new(SERVICE_NAME, by, user.at());
        users::publish_in_op(&mut op, &context, &UserErased::from(erasure)).await?;
        op.commit().await?;
        self.notices.wake();
        metrics::erased("erased");
        tracing::info!(user_id = %id, evidence_until = %erasure.evidence_until, "person erased");
        Ok(erasure)
    }
}
