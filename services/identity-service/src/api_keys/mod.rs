//! API keys: what somebody gives a machine of theirs, so that it may do some of what they may.
//!
//! A key has a name, scopes, an end within a year, and one secret in force; while it is rotated, two. Its owner makes, rotates and
//! revokes it, with their password wherever a secret comes of it. The machine hands the secret in for a token of a quarter of an hour (`exchange.rs`), which acts for
//! the owner and reaches only what is open to its scopes. A token names its secret as its session, so it is taken back as those of people are: by
//! `identity.session.ended`, which all services hear.
//!
//! Steps of a change: the password → in one transaction the person's row is locked, then the key's, the rule decides, what ended is
//! published, and the owner is written to.
//!
//! Making one may be repeated with an `Idempotency-Key`, which is claimed after the password and under the lock of the person's row. With it
//! lies the key's id alone, no answer: a repetition is told of the key, but its secret was in the first answer and is nowhere else.

pub(crate) mod config;
pub(crate) mod entity;
mod error;
mod exchange;
mod repo;
pub(crate) mod routes;
pub(crate) mod routes_token;
mod text;

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::Scopes;
use common_db::{
    Op, PgPool,
    idempotency::{self, Claim, IdempotencyKey, RequestHash},
};
use common_events::{
    Actor, EventContext, NewEvent,
    contracts::{
        ApiKeyCreated, ApiKeyRevoked, ApiKeyRotated, ApiKeySnapshot, SessionEndSnapshot, SessionEnded,
    },
    outbox,
};
use common_utils::{clock::SharedClock, ids::UserId};
use secrecy::SecretString;
use serde::Serialize;

use self::{
    entity::{ApiKey, ApiKeyId, KEPT, KeyName, MOST_KEYS, Secret, SecretId},
    error::ApiKeyError,
    text::KeyText,
};
use crate::{
    SERVICE_NAME,
    notices::{Notices, entity::Message},
    passwords::proof::{self, Proofs},
    sessions::AccessTokens,
    users::{self, ContactKind, LockedUser, entity::User, error::UserError},
};

const PURGE_BATCH: i64 = 500;

#[derive(Debug, Clone)]
pub(crate) struct ApiKeys {
    pub(crate) pool: PgPool,
    pub(crate) clock: SharedClock,
    pub(crate) access: AccessTokens,
    pub(crate) proofs: Proofs,
    pub(crate) notices: Notices,
    /// How long the secret before the last one goes on.
    pub(crate) overlap: TimeDelta,
}

/// What a key is to be.
#[derive(Debug, Serialize)]
pub(crate) struct NewKey {
    pub(crate) name: KeyName,
    pub(crate) scopes: Scopes,
    pub(crate) days: u16,
}

/// A key with its secrets in force, newest first.
#[derive(Debug)]
pub(crate) struct KeyView {
    pub(crate) key: ApiKey,
    pub(crate) secrets: Vec<Secret>,
}

/// A key, and the secret that was just made for it: nobody can ask for it again.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) view: KeyView,
    pub(crate) text: KeyText,
}

/// What a call that makes a key leads to.
#[derive(Debug)]
pub(crate) enum Created {
    Now(Handed),
    /// An earlier call with the same `Idempotency-Key` has made it: as it is by now, and without a secret.
    Before(KeyView),
}

impl ApiKeys {
    pub(crate) async fn create(
        &self,
        owner: UserId,
        new: NewKey,
        password: SecretString,
        call: Option<IdempotencyKey>,
    ) -> Result<Created, ApiKeyError> {
        let proved = self.proofs.check(owner, password).await?;
        // The password stays out of it: this is a fast hash.
        let hash = RequestHash::of("identity.api_key", &new)?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = self.lock_owner_in_op(&mut op, owner, &proved).await?;
        let now = self.clock.now();
        let key = ApiKey::new(owner, new.name, new.scopes, new.days, now);
        if let Some(first) = claim_in_op(&mut op, call, &hash, &key).await? {
            return self.made_before(&mut op, owner, first, now).await.map(Created::Before);
        }
        if repo::count_live_in_op(&mut op, owner, now).await? >= MOST_KEYS {
            return Err(ApiKeyError::TooMany);
        }
        let text = KeyText::random();
        repo::insert_in_op(&mut op, &key).await?;
        repo::insert_secret_in_op(&mut op, &key, &text, now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(owner), now);
        users::publish_in_op(&mut op, &context, &ApiKeyCreated(snapshot(&key, now))).await?;
        self.tell_in_op(&mut op, Message::api_key_created(&told(&user), key.name.as_str(), now)).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %owner, api_key = %key.id, scopes = %key.scopes, "API key made");
        let view = KeyView { secrets: vec![fresh(&key, &text, now)], key };
        Ok(Created::Now(Handed { view, text }))
    }

    async fn made_before(
        &self,
        op: &mut Op,
        owner: UserId,
        id: ApiKeyId,
        now: DateTime<Utc>,
    ) -> Result<KeyView, ApiKeyError> {
        let key = repo::find_locked_in_op(op, owner, id).await?.ok_or(ApiKeyError::NotFound)?;
        let secrets =
            if key.is_live(now) { repo::find_secrets_in_op(op, id, now).await? } else { Vec::new() };
        Ok(KeyView { key, secrets })
    }

    /// Those in force.
    pub(crate) async fn list(&self, owner: UserId) -> Result<Vec<KeyView>, ApiKeyError> {
        let now = self.clock.now();
        let keys = repo::list(&self.pool, owner, now).await?;
        let ids: Vec<ApiKeyId> = keys.iter().map(|key| key.id).collect();
        let mut secrets: HashMap<ApiKeyId, Vec<Secret>> = HashMap::new();
        for (key, secret) in repo::list_secrets(&self.pool, &ids, now).await? {
            secrets.entry(key).or_default().push(secret);
        }
        let view = |key: ApiKey| KeyView { secrets: secrets.remove(&key.id).unwrap_or_default(), key };
        Ok(keys.into_iter().map(view).collect())
    }

    /// Another secret. The one before goes on for the overlap, unless it ends `immediately`: then nothing holds any more that was got with
    /// any other secret.
    pub(crate) async fn rotate(
        &self,
        owner: UserId,
        id: ApiKeyId,
        immediately: bool,
        password: SecretString,
    ) -> Result<Handed, ApiKeyError> {
        let proved = self.proofs.check(owner, password).await?;
        let mut op = common_db::begin(&self.pool).await?;
        let user = self.lock_owner_in_op(&mut op, owner, &proved).await?;
        let key = repo::find_locked_in_op(&mut op, owner, id).await?;
        let now = self.clock.now();
        let key = key.filter(|key| key.is_live(now)).ok_or(ApiKeyError::NotFound)?;
        let overlap = if immediately { TimeDelta::zero() } else { self.overlap };
        // With the overlap shorter than a token's life, one may have ended whose last tokens are about.
        let since = if immediately { self.access.outlived_since(now) } else { now };
        let mut secrets = repo::find_secrets_in_op(&mut op, id, since).await?;
        let ends = entity::ends_on_rotation(&secrets, overlap, now);
        repo::end_secrets_in_op(&mut op, &ends).await?;
        let text = KeyText::random();
        repo::insert_secret_in_op(&mut op, &key, &text, now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(owner), now);
        let ended: Vec<SecretId> = ends.iter().filter(|(_, end)| *end <= now).map(|(id, _)| *id).collect();
        self.publish_ends_in_op(&mut op, &context, &key, &ended, "api_key_rotated").await?;
        users::publish_in_op(&mut op, &context, &ApiKeyRotated(snapshot(&key, now))).await?;
        self.tell_in_op(&mut op, Message::api_key_rotated(&told(&user), key.name.as_str(), now)).await?;
        op.commit().await?;
        self.notices.wake();
        tracing::info!(user_id = %owner, api_key = %id, immediately, "API key rotated");
        for (secret, (_, end)) in secrets.iter_mut().zip(ends) {
            secret.valid_until = end;
        }
        secrets.retain(|secret| secret.valid_until > now);
        secrets.insert(0, fresh(&key, &text, now));
        Ok(Handed { view: KeyView { key, secrets }, text })
    }

    /// Nothing that was got with the key holds any more. One that was revoked before stays so.
    pub(crate) async fn revoke(&self, owner: UserId, id: ApiKeyId) -> Result<(), ApiKeyError> {
        let mut op = common_db::begin(&self.pool).await?;
        let key = repo::find_locked_in_op(&mut op, owner, id).await?.ok_or(ApiKeyError::NotFound)?;
        if key.revoked_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        // Also one that has ended: its last tokens may be about.
        let secrets = repo::find_secrets_in_op(&mut op, id, self.access.outlived_since(now)).await?;
        let ended: Vec<SecretId> = secrets.iter().map(|secret| secret.id).collect();
        repo::revoke_in_op(&mut op, &[id], now).await?;
        let context = EventContext::new(SERVICE_NAME, Actor::user(owner), now);
        self.publish_ends_in_op(&mut op, &context, &key, &ended, "api_key_revoked").await?;
        users::publish_in_op(&mut op, &context, &ApiKeyRevoked(snapshot(&key, now))).await?;
        op.commit().await?;
        tracing::info!(user_id = %owner, api_key = %id, "API key revoked");
        Ok(())
    }

    /// All that are in force, and tells how many. The owner's row is locked, so that none is made meanwhile.
    pub(crate) async fn revoke_all_in_op(
        &self,
        op: &mut Op,
        owner: UserId,
        by: Actor,
    ) -> Result<usize, UserError> {
        let now = self.clock.now();
        let keys = repo::find_live_locked_in_op(op, owner, now).await?;
        let ids: Vec<ApiKeyId> = keys.iter().map(|key| key.id).collect();
        let secrets = repo::list_secrets(&mut **op, &ids, self.access.outlived_since(now)).await?;
        repo::revoke_in_op(op, &ids, now).await?;
        let context = EventContext::new(SERVICE_NAME, by, now);
        let ends = secrets.iter().map(|(_, secret)| {
            NewEvent::new(&context, &self.ended(owner, secret.id, "api_key_revoked", now))
        });
        let revoked = keys.iter().map(|key| NewEvent::new(&context, &ApiKeyRevoked(snapshot(key, now))));
        let events = ends.chain(revoked).collect::<Result<Vec<_>, _>>()?;
        outbox::publish_in_op(op, &events).await?;
        Ok(keys.len())
    }

    /// Forgets keys that ended long ago.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let before = self.clock.now() - KEPT;
        while repo::purge(&self.pool, before, PURGE_BATCH).await? == PURGE_BATCH.unsigned_abs() {}
        Ok(())
    }

    async fn lock_owner_in_op(
        &self,
        op: &mut Op,
        owner: UserId,
        proved: &str,
    ) -> Result<LockedUser, ApiKeyError> {
        let user = users::repo::find_locked_in_op(op, owner, &self.clock).await?;
        let user = user.ok_or(UserError::NotFound)?;
        proof::holds_in_op(op, owner, proved).await?;
        if user.is_active() { Ok(user) } else { Err(ApiKeyError::Inactive) }
    }

    async fn publish_ends_in_op(
        &self,
        op: &mut Op,
        context: &EventContext,
        key: &ApiKey,
        secrets: &[SecretId],
        reason: &str,
    ) -> Result<(), ApiKeyError> {
        for secret in secrets {
            let ended = self.ended(key.user_id, *secret, reason, context.now);
            users::publish_in_op(op, context, &ended).await?;
        }
        Ok(())
    }

    fn ended(&self, owner: UserId, secret: SecretId, reason: &str, now: DateTime<Utc>) -> SessionEnded {
        SessionEnded(SessionEndSnapshot {
            user_id: owner.uuid(),
            session_id: secret.uuid(),
            reason: reason.to_owned(),
            ended_at: now,
            refused_until: self.access.refused_until(now),
        })
    }

    async fn tell_in_op(&self, op: &mut Op, message: Message) -> Result<(), ApiKeyError> {
        Ok(self.notices.write_in_op(op, &[message]).await?)
    }
}

/// Claims the caller's key for the API key that is to be made; the id of the one that a call like this has made before.
async fn claim_in_op(
    op: &mut Op,
    call: Option<IdempotencyKey>,
    hash: &RequestHash,
    key: &ApiKey,
) -> Result<Option<ApiKeyId>, ApiKeyError> {
    let Some(call) = call else { return Ok(None) };
    let caller = key.user_id.to_string();
    match idempotency::claim_in_op(op, &caller, &call, hash, Some(key.id.uuid()), key.created_at).await? {
        Claim::Fresh => Ok(None),
        Claim::Known(known) => known.resource_id.map(|id| Some(id.into())).ok_or(ApiKeyError::NotFound),
        Claim::Mismatch => Err(ApiKeyError::KeyReused),
    }
}

fn told(user: &User) -> users::Identifier {
    user.trusted_contact(ContactKind::Email)
}

/// A secret that was made now.
fn fresh(key: &ApiKey, text: &KeyText, now: DateTime<Utc>) -> Secret {
    Secret { id: text.id, created_at: now, valid_until: key.expires_at, last_used_at: None }
}

/// What others may know: the name is its owner's own business.
fn snapshot(key: &ApiKey, now: DateTime<Utc>) -> ApiKeySnapshot {
    ApiKeySnapshot {
        user_id: key.user_id.uuid(),
        api_key_id: key.id.uuid(),
        scopes: key.scopes.iter().map(|scope| scope.name().to_owned()).collect(),
        created_at: key.created_at,
        expires_at: key.expires_at,
        changed_at: now,
    }
}
