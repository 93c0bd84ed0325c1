//! Passkeys (Web Authentication): a key pair that an authenticator of the person's keeps, be it a phone, a computer, a password
//! manager or a stick, and uses when its owner has shown it a finger, a face or a PIN. So each is two factors by itself: it signs in
//! without a password, ends a sign-in that began with one, and proves anew that somebody is still there.
//!
//! A ceremony has two calls. The first writes a challenge down for one purpose, person and session, and answers what a browser takes;
//! the second takes it out, whatever comes of it, and looks at what the authenticator answered (`registering.rs`, `using.rs`). Everything
//! about a person's passkeys happens under the lock of their row, so the count of uses that an authenticator tells is compared with the
//! last one. One that went back means that there are two of a key: the passkey is disabled, and its owner told. It stays one of their
//! factors until they remove it: whoever made the copy must not make the password enough by it.
//!
//! What a stranger gets hangs on nothing: a sign-in begins without saying who, and ends with one refusal for all reasons.

mod ceremony;
mod config;
mod entity;
mod error;
mod registering;
mod repo;
pub(crate) mod routes;
pub(crate) mod routes_use;
mod using;

use std::sync::Arc;

use common_auth::Method;
use common_db::{Op, PgPool};
use common_utils::{
    clock::SharedClock,
    http::{
        Problem,
        paging::{self, Limit, Page, PageQuery},
    },
    ids::UserId,
};
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::Webauthn;

pub use self::config::PasskeyConfig;
use self::{
    ceremony::{CeremonyId, Purpose},
    entity::PasskeyId,
    error::PasskeyError,
    repo::Listed,
};
use crate::{
    factors::Factors,
    guard::Guard,
    key_name::KeyName,
    notices::{Notices, entity::Message},
    sessions::Sessions,
    users::{self, ContactKind, LockedUser, error::UserError},
};

const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Passkeys {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) guard: Guard,
    pub(crate) notices: Notices,
    pub(crate) factors: Arc<Factors>,
    pub(crate) webauthn: Webauthn,
}

/// A ceremony that was begun, and what the authenticator is asked.
#[derive(Debug)]
pub(crate) struct Begun<T> {
    pub(crate) ceremony: CeremonyId,
    pub(crate) options: T,
}

impl Passkeys {
    pub(crate) async fn list(&self, caller: UserId, page: &PageQuery) -> Result<Page<Listed>, Problem> {
        let before = paging::decode(page.cursor.as_deref())?;
        let limit = Limit::new(page.limit);
        let listed =
            repo::list(&self.pool, caller, before, limit.rows()).await.map_err(PasskeyError::from)?;
        Ok(Page::from_rows(listed, limit, |passkey| passkey.id))
    }

    pub(crate) async fn rename(
        &self,
        caller: UserId,
        id: PasskeyId,
        name: &KeyName,
    ) -> Result<Listed, PasskeyError> {
        repo::rename(&self.pool, caller, id, name).await?.ok_or(PasskeyError::NotFound)
    }

    /// Sessions that it opened go on: they are in the list of sessions.
    pub(crate) async fn remove(&self, caller: UserId, id: PasskeyId) -> Result<(), PasskeyError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, caller, &self.clock).await?;
        if !repo::delete_in_op(&mut op, user.id, id).await? {
            return Err(PasskeyError::NotFound);
        }
        if repo::credentials(&mut *op, user.id).await?.is_empty() {
            self.factors.remove_in_op(&mut op, &mut user, Method::Passkey).await?;
        } else {
            let to = user.trusted_contact(ContactKind::Email);
            let notice = Message::factor_removed(&to, Method::Passkey, self.clock.now());
            self.notices.write_in_op(&mut op, &[notice]).await?;
        }
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, passkey_id = %id, "passkey removed by its owner");
        Ok(())
    }

    async fn take<T: DeserializeOwned>(
        &self,
        ceremony: CeremonyId,
        purpose: Purpose,
    ) -> Result<T, PasskeyError> {
        let taken = repo::take_ceremony(&self.pool, ceremony, purpose, self.clock.now()).await?;
        taken.ok_or(PasskeyError::CeremonyExpired)
    }

    /// Forgets ceremonies that are over.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let now = self.clock.now();
        while repo::purge(&self.pool, now, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}

/// Theirs sign nobody in any more. Under the lock of the person's row.
pub(crate) async fn forget_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_all_in_op(op, user).await
}

/// Ceremonies of theirs that are under way.
pub(crate) async fn forget_begun_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_ceremonies_in_op(op, user).await
}

/// The person, locked, if they may do anything.
async fn active_in_op(op: &mut Op, id: UserId, clock: &SharedClock) -> Result<LockedUser, PasskeyError> {
    let user = users::repo::find_locked_in_op(op, id, clock).await?.ok_or(UserError::NotFound)?;
    if user.is_active() { Ok(user) } else { Err(PasskeyError::Inactive) }
}
