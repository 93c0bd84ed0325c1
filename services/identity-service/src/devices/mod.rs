//! Devices that are bound to an account: an app makes a key pair in its phone's secure element, which signs only when the owner has
//! shown a finger, a face or the phone's code. Signing a challenge of ours with it signs in, and proves anew that somebody is there.
//!
//! A challenge is written down for one purpose, device and session, lives five minutes, and is taken out by its first use, whatever comes of
//! it. What is signed says all of that (`entity.rs`). A device is there only after it has signed: first comes the challenge with the
//! public key, then the signature. Everything about a person's devices happens under the lock of their row.
//!
//! Sessions know which device they were opened on, or was bound in them, and end with it. Where one device an account is the rule, another takes its place.
//! A phone that is lost is no reason to lose the account: a bound device does not make the password worth less.

mod config;
mod entity;
mod error;
mod key;
mod repo;
pub(crate) mod routes;
pub(crate) mod routes_use;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use common_auth::{CurrentUser, Method};
use common_db::{Op, PgPool};
use common_events::Actor;
use common_utils::{
    clock::SharedClock,
    http::{
        Problem,
        paging::{self, Limit, Page, PageQuery},
    },
    ids::UserId,
};
use secrecy::SecretString;

pub use self::config::DeviceConfig;
use self::{
    entity::{Caller, Challenge, ChallengeId, Device, DeviceId, MOST, Platform, Purpose},
    error::DeviceError,
    key::PublicKey,
    repo::{Enrolment, Listed},
};
use crate::{
    auth::SignedIn,
    begun,
    factors::{Factors, error::FactorError},
    guard::Guard,
    key_name::KeyName,
    metrics,
    notices::{Notices, entity::Message},
    passwords::proof,
    sessions::{
        AccessToken, BoundDevice, Origin, Proof, Sessions,
        entity::{EndReason, SessionId, Which},
    },
    users::{self, ContactKind, LockedUser, error::UserError},
};

const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Devices {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) sessions: Sessions,
    pub(crate) guard: Guard,
    pub(crate) notices: Notices,
    pub(crate) factors: Arc<Factors>,
    pub(crate) config: DeviceConfig,
}

/// What is to be bound.
#[derive(Debug)]
pub(crate) struct NewDevice {
    pub(crate) key: PublicKey,
    pub(crate) name: KeyName,
    pub(crate) platform: Platform,
}

/// A device that was bound, and a token of the session in which it was.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) device: Listed,
    pub(crate) access: AccessToken,
}

impl Devices {
    /// Asks for a proof that whoever calls has the key.
    pub(crate) async fn start_binding(
        &self,
        caller: &CurrentUser,
        new: NewDevice,
        password: Option<SecretString>,
    ) -> Result<Challenge, DeviceError> {
        let NewDevice { key, name, platform } = new;
        let enrolment = Enrolment { key: key.to_spki()?, name: name.as_str().to_owned(), platform };
        let proved = self.factors.proofs.check_beside_factor(caller, password).await?;
        let now = self.clock.now();
        let challenge = Challenge::new(DeviceId::new(), Purpose::Bind(known(caller)), now);
        let mut op = common_db::begin(&self.pool).await?;
        let user = active_in_op(&mut op, caller.id, &self.clock).await?;
        proof::stands_in_op(&mut op, &user, proved.as_deref()).await?;
        repo::insert_challenge(&mut *op, &challenge, Some(&enrolment), now).await?;
        op.commit().await?;
        Ok(challenge)
    }

    pub(crate) async fn bind(
        &self,
        caller: &CurrentUser,
        challenge: ChallengeId,
        signature: &[u8],
    ) -> Result<Bound, DeviceError> {
        let result = self.try_to_bind(caller, challenge, signature).await;
        metrics::device_used("bind", result.is_ok());
        result
    }

    async fn try_to_bind(
        &self,
        caller: &CurrentUser,
        challenge: ChallengeId,
        signature: &[u8],
    ) -> Result<Bound, DeviceError> {
        let now = self.clock.now();
        let taken = repo::take_challenge(&self.pool, challenge, Purpose::Bind(known(caller)), now).await?;
        let Some((challenge, Some(enrolment))) = taken else { return Err(DeviceError::ChallengeExpired) };
        let key = PublicKey::from_spki(&enrolment.key)?;
        if !key.verify(challenge.message().as_bytes(), signature) {
            return Err(refused(&challenge, Some(caller.id)));
        }
        let device = Device { id: challenge.device, user_id: caller.id, key, activated_at: now };
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, caller.id, &self.clock).await?;
        begun::require(&user, caller).map_err(FactorError::from)?;
        let access = self.bind_in_op(&mut op, &mut user, caller, &device, &enrolment).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, device_id = %device.id, "device bound");
        let device = Listed {
            id: device.id.uuid(),
            name: enrolment.name,
            platform: enrolment.platform.name().to_owned(),
            activated_at: now,
            last_used_at: None,
        };
        Ok(Bound { device, access })
    }

    /// The session in which it is bound is the device's from now on: first, so that it does not end with the device before.
    async fn bind_in_op(
        &self,
        op: &mut Op,
        user: &mut LockedUser,
        caller: &CurrentUser,
        device: &Device,
        enrolment: &Enrolment,
    ) -> Result<AccessToken, DeviceError> {
        self.factors.add_in_op(op, user, Method::Device).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.bind_in_op(op, user, session, bound(device)).await?;
        let present = repo::ids(&mut **op, user.id).await?;
        if self.config.one_active {
            for replaced in present {
                self.revoke_in_op(op, user.id, replaced).await?;
            }
        } else if present.len() >= MOST {
            return Err(DeviceError::TooMany);
        }
        repo::insert_in_op(op, device, enrolment).await?;
        Ok(access)
    }

    pub(crate) async fn list(&self, caller: UserId, page: &PageQuery) -> Result<Page<Listed>, Problem> {
        let before = paging::decode(page.cursor.as_deref())?;
        let limit = Limit::new(page.limit);
        let listed = repo::list(&self.pool, caller, before, limit.rows()).await.map_err(DeviceError::from)?;
        Ok(Page::from_rows(listed, limit, |device| device.id))
    }

    pub(crate) async fn rename(
        &self,
        caller: UserId,
        id: DeviceId,
        name: &KeyName,
    ) -> Result<Listed, DeviceError> {
        repo::rename(&self.pool, caller, id, name).await?.ok_or(DeviceError::NotFound)
    }

    /// It signs nobody in any more, and what it has opened ends.
    pub(crate) async fn revoke(&self, caller: UserId, id: DeviceId) -> Result<(), DeviceError> {
        let mut op = common_db::begin(&self.pool).await?;
        let mut user = active_in_op(&mut op, caller, &self.clock).await?;
        if !self.revoke_in_op(&mut op, user.id, id).await? {
            return Err(DeviceError::NotFound);
        }
        if repo::ids(&mut *op, user.id).await?.is_empty() {
            self.factors.remove_in_op(&mut op, &mut user, Method::Device).await?;
        } else {
            let to = user.trusted_contact(ContactKind::Email);
            let notice = Message::factor_removed(&to, Method::Device, self.clock.now());
            self.notices.write_in_op(&mut op, &[notice]).await?;
        }
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %user.id, device_id = %id, "device revoked by its owner");
        Ok(())
    }

    async fn revoke_in_op(&self, op: &mut Op, user: UserId, id: DeviceId) -> Result<bool, DeviceError> {
        if !repo::delete_in_op(op, user, id).await? {
            return Ok(false);
        }
        let (which, reason) = (Which::OnDevice(id.uuid()), EndReason::DeviceRevoked);
        while self.sessions.end_in_op(op, user, which, reason, Actor::user(user)).await? > 0 {}
        Ok(true)
    }

    /// The same for a device that does not exist, so that nobody finds out by asking which do.
    pub(crate) async fn start_unlocking(&self, id: DeviceId) -> Result<Challenge, DeviceError> {
        self.ask(id, Purpose::Unlock).await
    }

    pub(crate) async fn unlock(
        &self,
        id: DeviceId,
        challenge: ChallengeId,
        signature: &[u8],
        origin: &Origin,
    ) -> Result<SignedIn, DeviceError> {
        let (mut op, user, device) = self.prove(id, challenge, Purpose::Unlock, signature).await?;
        self.guard.proved_in_op(&mut op, &user, origin).await?;
        let proof = Proof::by([Method::Device], self.clock.now());
        let tokens =
            self.sessions.open_on_device_in_op(&mut op, &user, origin, proof, bound(&device)).await?;
        op.commit().await?;
        tracing::info!(user_id = %user.id, device_id = %id, "signed in with a bound device");
        Ok(SignedIn { user: user.into(), tokens })
    }

    pub(crate) async fn start_stepping_up(
        &self,
        caller: &CurrentUser,
        id: DeviceId,
    ) -> Result<Challenge, DeviceError> {
        self.require_own(caller, id).await?;
        self.ask(id, Purpose::StepUp(known(caller))).await
    }

    async fn require_own(&self, caller: &CurrentUser, id: DeviceId) -> Result<(), DeviceError> {
        let device = repo::find(&self.pool, id).await?.filter(|device| device.user_id == caller.id);
        device.map(drop).ok_or(DeviceError::NotFound)
    }

    pub(crate) async fn step_up(
        &self,
        caller: &CurrentUser,
        id: DeviceId,
        challenge: ChallengeId,
        signature: &[u8],
    ) -> Result<AccessToken, DeviceError> {
        self.require_own(caller, id).await?;
        let purpose = Purpose::StepUp(known(caller));
        let (mut op, user, _) = self.prove(id, challenge, purpose, signature).await?;
        let session = SessionId::from(caller.claims.sid);
        let access = self.sessions.step_up_in_op(&mut op, &user, session, Method::Device).await?;
        op.commit().await?;
        Ok(access)
    }

    async fn ask(&self, id: DeviceId, purpose: Purpose) -> Result<Challenge, DeviceError> {
        let now = self.clock.now();
        let challenge = Challenge::new(id, purpose, now);
        repo::insert_challenge(&self.pool, &challenge, None, now).await?;
        Ok(challenge)
    }

    /// Whoever has signed has the device, whose owner's row stays locked with the transaction.
    async fn prove(
        &self,
        id: DeviceId,
        challenge: ChallengeId,
        purpose: Purpose,
        signature: &[u8],
    ) -> Result<(Op, LockedUser, Device), DeviceError> {
        let result = self.try_to_prove(id, challenge, purpose, signature).await;
        metrics::device_used(purpose.name(), result.is_ok());
        result
    }

    async fn try_to_prove(
        &self,
        id: DeviceId,
        challenge: ChallengeId,
        purpose: Purpose,
        signature: &[u8],
    ) -> Result<(Op, LockedUser, Device), DeviceError> {
        let now: DateTime<Utc> = self.clock.now();
        let taken = repo::take_challenge(&self.pool, challenge, purpose, now).await?;
        let Some((challenge, _)) = taken.filter(|(challenge, _)| challenge.device == id) else {
            return Err(DeviceError::ChallengeExpired);
        };
        let Some(found) = repo::find(&self.pool, id).await? else { return Err(refused(&challenge, None)) };
        let owner = found.user_id;
        let mut op = common_db::begin(&self.pool).await?;
        let user = users::repo::find_locked_in_op(&mut op, owner, &self.clock).await?;
        let user = user.ok_or(UserError::NotFound)?;
        // Once more, under the lock: it may have been revoked meanwhile.
        let device = repo::find(&mut *op, id).await?.filter(|device| {
            purpose.caller().is_none_or(|caller| caller.user == device.user_id)
                && device.key.verify(challenge.message().as_bytes(), signature)
        });
        let Some(device) = device else { return Err(refused(&challenge, Some(owner))) };
        if !user.is_active() {
            return Err(DeviceError::Inactive);
        }
        repo::used_in_op(&mut op, id, now).await?;
        Ok((op, user, device))
    }

    /// Forgets challenges that are over.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let now = self.clock.now();
        while repo::purge(&self.pool, now, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }
}

/// Theirs sign nobody in any more. Under the lock of the person's row; what they have opened is ended by the caller.
pub(crate) async fn forget_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_all_in_op(op, user).await
}

/// What their devices, and those to be, are asked to sign.
pub(crate) async fn forget_begun_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    repo::delete_challenges_in_op(op, user).await
}

fn known(caller: &CurrentUser) -> Caller {
    Caller { user: caller.id, session: caller.claims.sid }
}

fn bound(device: &Device) -> BoundDevice {
    BoundDevice { id: device.id.uuid(), since: device.activated_at }
}

fn refused(challenge: &Challenge, owner: Option<UserId>) -> DeviceError {
    let owner = owner.map(tracing::field::display);
    tracing::warn!(user_id = owner, purpose = challenge.purpose.name(), "a device's signature was refused");
    match challenge.purpose {
        Purpose::Unlock => DeviceError::NotSignedIn,
        Purpose::Bind(_) | Purpose::StepUp(_) => DeviceError::Rejected,
    }
}

async fn active_in_op(op: &mut Op, id: UserId, clock: &SharedClock) -> Result<LockedUser, DeviceError> {
    let user = users::repo::find_locked_in_op(op, id, clock).await?.ok_or(UserError::NotFound)?;
    if user.is_active() { Ok(user) } else { Err(DeviceError::Inactive) }
}
