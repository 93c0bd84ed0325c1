//! Second factors: what somebody proves who they are with beside the password.
//!
//! Which ones somebody has stands in their own row (`User::factors`), which every sign-in and every token reads; the particulars are in
//! tables of their own. Both change together, under the lock of that row, and the person is told. Steps of a sign-in: the password is right
//! → a challenge (`challenge.rs`) in the place of tokens → a code (`sign_in.rs`) → tokens. Who is signed in proves themselves once more in
//! `step_up.rs`. A code is used up by a guarded statement: of two uses at one moment one wins.

mod challenge;
mod enrolment;
pub(crate) mod error;
mod recovery;
mod repo;
pub(crate) mod reset;
pub(crate) mod routes;
mod sign_in;
mod step_up;
mod totp;

use std::{path::Path, sync::Arc};

use chrono::TimeDelta;
use common_auth::Method;
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext,
    contracts::{FactorSnapshot, UserFactorAdded, UserFactorRemoved},
};
use common_utils::{
    clock::SharedClock,
    crypto::sealing::{KeyFile, SealError, Sealer},
    ids::UserId,
};
use zeroize::Zeroizing;

pub(crate) use self::{challenge::Challenge, recovery::RecoveryCode, step_up::Reproof};
use self::{error::FactorError, totp::TotpSecret};
use crate::{
    SERVICE_NAME,
    allowances::Allowances,
    begun,
    codes::entity::Code,
    guard::Guard,
    metrics,
    notices::{Notices, entity::Message},
    passwords::proof::Proofs,
    sessions::Sessions,
    users::{self, ContactKind, LockedUser, Users, entity::User, error::UserError},
};

const PURPOSE: &str = "wallet-platform/second-factors/v1";
pub(crate) const KEY_FILE: &str = "factors.key";
/// What is over is forgotten after this.
const KEPT: TimeDelta = TimeDelta::days(1);
const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Factors {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) users: Users,
    pub(crate) sessions: Sessions,
    pub(crate) proofs: Proofs,
    pub(crate) allowances: Allowances,
    pub(crate) guard: Guard,
    pub(crate) notices: Notices,
    pub(crate) secrets: Secrets,
    /// Whether anybody may enrol. Who has a second factor already is asked for it all the same.
    pub(crate) allowed: bool,
    /// Whose codes an authenticator app says they are.
    pub(crate) issuer: String,
}

/// What secrets are encrypted and codes hashed with.
#[derive(Debug, Clone)]
pub(crate) struct Secrets {
    sealer: Arc<Sealer>,
    hash_key: Zeroizing<[u8; 32]>,
}

impl Secrets {
    pub(crate) fn load_or_create(keys_dir: &Path) -> anyhow::Result<Self> {
        let key = KeyFile::load_or_create(&keys_dir.join(KEY_FILE))?;
        let (sealer, hash_key) = (Arc::new(Sealer::new(&key, PURPOSE)?), key.derive(PURPOSE, "hash"));
        Ok(Self { sealer, hash_key })
    }

    fn seal(&self, owner: UserId, secret: &TotpSecret) -> Result<Vec<u8>, SealError> {
        self.sealer.seal(owner.uuid().as_bytes(), secret.bytes())
    }

    fn open(&self, owner: UserId, sealed: &[u8]) -> Result<TotpSecret, SealError> {
        let plain = self.sealer.open(owner.uuid().as_bytes(), sealed)?;
        TotpSecret::from_stored(&plain).ok_or(SealError::Damaged)
    }

    fn hash(&self, owner: UserId, code: &RecoveryCode) -> [u8; 32] {
        code.hash(&self.hash_key, owner)
    }
}

/// Fails where secrets are stored that the key file does not open: nobody with a second factor could sign in.
pub(crate) async fn require_key(pool: &PgPool, keys_dir: &Path) -> anyhow::Result<()> {
    let stored: Vec<Vec<u8>> = repo::any_key_id(pool).await?.into_iter().collect();
    Sealer::require(&keys_dir.join(KEY_FILE), PURPOSE, &stored, "secrets of authenticator apps")
}

/// What somebody gives as their second factor.
#[derive(Debug)]
pub(crate) enum Evidence {
    Totp(Code),
    Recovery(RecoveryCode),
}

impl Evidence {
    pub(crate) fn method(&self) -> Method {
        match self {
            Self::Totp(_) => Method::Totp,
            Self::Recovery(_) => Method::Recovery,
        }
    }
}

/// Sign-ins under way, and an app that waits to be confirmed.
pub(crate) async fn forget_begun_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_challenges_in_op(op, user).await?;
    repo::delete_waiting_in_op(op, user).await
}

/// The app, and the recovery codes. Under the lock of the person's row.
pub(crate) async fn forget_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_totp_in_op(op, user).await?;
    repo::delete_recovery_codes_in_op(op, user).await
}

impl Factors {
    /// Whether it is right, and if so it is used up. The person's row is locked.
    async fn check_in_op(&self, op: &mut Op, user: &User, evidence: &Evidence) -> Result<bool, FactorError> {
        let right = match evidence {
            Evidence::Totp(code) => self.check_totp_in_op(op, user.id, code).await?,
            Evidence::Recovery(code) => self.check_recovery_in_op(op, user, code).await?,
        };
        metrics::factor_checked(evidence.method().name(), right);
        if !right {
            let method = evidence.method().name();
            tracing::warn!(user_id = %user.id, method, "a second factor was refused");
        }
        Ok(right)
    }

    async fn check_totp_in_op(&self, op: &mut Op, user: UserId, code: &Code) -> Result<bool, FactorError> {
        let Some(sealed) = repo::find_confirmed_in_op(op, user).await? else { return Ok(false) };
        let secret = self.secrets.open(user, &sealed)?;
        match secret.step_of(code, self.clock.now()) {
            Some(step) => Ok(repo::use_step_in_op(op, user, step).await?),
            None => Ok(false),
        }
    }

    async fn check_recovery_in_op(
        &self,
        op: &mut Op,
        user: &User,
        code: &RecoveryCode,
    ) -> Result<bool, FactorError> {
        let (hash, now) = (self.secrets.hash(user.id, code), self.clock.now());
        if !repo::use_recovery_code_in_op(op, user.id, &hash, now).await? {
            return Ok(false);
        }
        let left = repo::count_recovery_codes(&mut **op, user.id).await?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(op, &[Message::recovery_code_used(&to, left, now)]).await?;
        Ok(true)
    }

    /// From now on it is asked for. Its particulars are written by the caller, who has locked the person's row.
    pub(crate) async fn add_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        method: Method,
    ) -> Result<(), FactorError> {
        let now = user.at();
        user.add_factor(method);
        users::repo::update_factors_in_op(op, user).await?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(op, &[Message::factor_added(&to, method, now)]).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(user.id), now);
        let added =
            FactorSnapshot { user_id: user.id.uuid(), factor: method.name().to_owned(), changed_at: now };
        Ok(users::publish_in_op(op, &context, &UserFactorAdded(added)).await?)
    }

    /// The same for a second factor. With somebody's first one come recovery codes, and whatever was begun without it is over: who began it
    /// may be somebody else, who has only the password or a session. Other sessions go on, and do not get far: what takes over an account
    /// takes the factor from then on. Their owner sees them in the list, and ends them there.
    pub(crate) async fn add_second_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        method: Method,
    ) -> Result<Vec<String>, FactorError> {
        let mut recovery_codes = Vec::new();
        if user.second_factors().is_empty() {
            begun::forget_in_op(op, user.id).await?;
            recovery_codes = self.hand_out_in_op(op, user).await?;
        }
        self.add_in_op(op, user, method).await?;
        Ok(recovery_codes)
    }

    /// Whether anybody may have another second factor.
    pub(crate) fn allow_another(&self) -> Result<(), FactorError> {
        if self.allowed { Ok(()) } else { Err(FactorError::Off) }
    }

    /// It is asked for no more. Its particulars are deleted by the caller, who has locked the person's row. With the last second factor,
    /// recovery codes are gone, and sign-ins under way lead to nothing.
    pub(crate) async fn remove_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        method: Method,
    ) -> Result<(), FactorError> {
        let now = user.at();
        user.remove_factor(method);
        users::repo::update_factors_in_op(op, user).await?;
        if !user.factors.contains(&Method::Recovery) {
            repo::delete_recovery_codes_in_op(op, user.id).await?;
        }
        repo::delete_challenges_in_op(op, user.id).await?;
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(op, &[Message::factor_removed(&to, method, now)]).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(user.id), now);
        let removed =
            FactorSnapshot { user_id: user.id.uuid(), factor: method.name().to_owned(), changed_at: now };
        Ok(users::publish_in_op(op, &context, &UserFactorRemoved(removed)).await?)
    }

    /// Forgets sign-ins that were not gone on with, and enrolments that nobody confirmed.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while repo::purge(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}

/// The person, locked, if they may do anything.
async fn active_in_op(op: &mut Op, id: UserId, clock: &SharedClock) -> Result<LockedUser, FactorError> {
    let user = users::repo::find_locked_in_op(op, id, clock).await?.ok_or(UserError::NotFound)?;
    if user.is_active() { Ok(user) } else { Err(FactorError::Inactive) }
}
