//! Holds back who guesses passwords. The rules and their numbers are in `entity.rs`.
//!
//! An attempt counts as failed before the password is looked at, in a transaction of its own, and what turns out to be right is
//! taken back: however many come at the same moment, and wherever the process dies, none is free. Identifiers that nobody has are
//! counted in the same way, so nobody learns from a wait which exist.

mod entity;
pub(crate) mod error;
mod key;
mod repo;

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext,
    contracts::{UserLockSnapshot, UserLocked},
};
use common_utils::{clock::SharedClock, crypto::sealing::KeyFile, ids::UserId};

use crate::{
    SERVICE_NAME, metrics,
    notices::{Notices, entity::Message},
    sessions::Origin,
    users::{self, ContactKind, Identifier, entity::User, error::UserError},
};
use entity::{Counts, Decision, Failures, Scope};
use error::GuardError;
use key::{Key, Keys};

/// A place where somebody has not signed in for so long is a new one.
const PLACES_KEPT: TimeDelta = TimeDelta::days(90);
const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pool: PgPool,
    clock: SharedClock,
    notices: Notices,
    keys: Keys,
}

/// A password that is about to be tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    counted: Vec<(Scope, Key)>,
}

impl Guard {
    pub(crate) fn new(pool: PgPool, clock: SharedClock, notices: Notices, key: &KeyFile) -> Self {
        Self { pool, clock, notices, keys: Keys::new(key) }
    }

    /// Counts an attempt, or says how long to wait. `owner` is who has the identifier, if anybody has.
    pub(crate) async fn attempt(
        &self,
        identifier: &str,
        owner: Option<UserId>,
        origin: &Origin,
    ) -> Result<Attempt, GuardError> {
        let name = canonical(identifier);
        self.count((&name, &name), owner, origin).await
    }

    /// The same for a second factor, which somebody is asked for who has told the right password. It has counts of its own: the right
    /// password ends none of them, and a wait of theirs holds no password back.
    pub(crate) async fn second_attempt(&self, user: &User, origin: &Origin) -> Result<Attempt, GuardError> {
        let name = second_factor_of(user);
        self.count((&name, user.email.as_str()), Some(user.id), origin).await
    }

    /// Under one name; at home are those who have signed in by the other.
    async fn count(
        &self,
        (name, at_home_as): (&str, &str),
        owner: Option<UserId>,
        origin: &Origin,
    ) -> Result<Attempt, GuardError> {
        let now = self.clock.now();
        let keys = [
            self.keys.pair(name, origin.address),
            self.keys.identifier(name),
            self.keys.source(origin.address),
        ];
        let at_home = repo::is_place(&self.pool, &self.keys.place(at_home_as, origin.address)).await?;
        // Who has to wait anyway queues for no lock, and holds no connection meanwhile.
        decide(&repo::read(&self.pool, &keys, now).await?, at_home, now)?;
        let mut op = common_db::begin(&self.pool).await?;
        let found = repo::lock_in_op(&mut op, &keys, now).await?;
        let Tried { counted, locks, for_a_day, blocks_source } = decide(&found, at_home, now)?;
        let key = |scope: Scope| match scope {
            Scope::Pair => keys[0],
            Scope::Identifier => keys[1],
            Scope::Source => keys[2],
        };
        let written: Vec<(Key, Failures)> =
            counted.iter().map(|(scope, failures)| (key(*scope), *failures)).collect();
        repo::write_in_op(&mut op, &written).await?;
        if let (Some(failures), Some(owner)) = (locks, owner) {
            let context = EventContext::new(SERVICE_NAME, Actor::service(SERVICE_NAME), now);
            users::publish_in_op(&mut op, &context, &locked(owner, failures)).await?;
        }
        if let Some(owner) = owner.filter(|_| for_a_day) {
            self.tell_in_op(&mut op, owner, now).await?;
        }
        op.commit().await?;
        if for_a_day {
            self.notices.wake();
        }
        if locks.is_some() {
            metrics::account_locked();
            tracing::warn!(
                user_id = owner.map(tracing::field::display),
                "too many sign-ins failed: strangers wait"
            );
        }
        if blocks_source {
            metrics::source_blocked();
            tracing::warn!("too many accounts were tried from one address: it waits");
        }
        Ok(Attempt { counted: counted.into_iter().map(|(scope, _)| (scope, key(scope))).collect() })
    }

    async fn tell_in_op(&self, op: &mut Op, owner: UserId, now: DateTime<Utc>) -> Result<(), GuardError> {
        let owner = users::repo::find(&mut **op, owner).await?.ok_or(UserError::NotFound)?;
        let to = owner.trusted_contact(ContactKind::Email);
        Ok(self.notices.write_in_op(op, &[Message::sign_ins_guessed(&to, now)]).await?)
    }

    /// They are signed in: what failed before does not count, and this place is one of theirs.
    pub(crate) async fn succeeded_in_op(
        &self,
        op: &mut Op,
        attempt: &Attempt,
        user: &User,
        origin: &Origin,
    ) -> sqlx::Result<()> {
        let source = attempt.counted.iter().filter(|(scope, _)| *scope == Scope::Source);
        let second_factor = second_factor_of(user);
        let [email, phone] = names(user);
        let source = source.copied().collect::<Vec<_>>();
        self.clear_in_op(op, &[email, phone, &second_factor], &source, (user, origin)).await
    }

    /// Who has another password by a token that was sent to them is not held back by the passwords that failed before.
    pub(crate) async fn proved_in_op(&self, op: &mut Op, user: &User, origin: &Origin) -> sqlx::Result<()> {
        self.clear_in_op(op, &names(user), &[], (user, origin)).await
    }

    /// What was counted of an account that is no more. Counts at single addresses have keys that nobody can tell from here; they
    /// go by themselves.
    pub(crate) async fn forget_in_op(&self, op: &mut Op, user: &User) -> sqlx::Result<()> {
        let keys: Vec<Key> = names(user).iter().map(|name| self.keys.identifier(name)).collect();
        repo::lock_known_in_op(op, &keys).await?;
        repo::forget_in_op(op, &keys).await
    }

    async fn clear_in_op(
        &self,
        op: &mut Op,
        names: &[&str],
        source: &[(Scope, Key)],
        (user, origin): (&User, &Origin),
    ) -> sqlx::Result<()> {
        let pairs = names.iter().map(|name| self.keys.pair(name, origin.address));
        let over: Vec<Key> = pairs.chain(names.iter().map(|name| self.keys.identifier(name))).collect();
        let keys: Vec<Key> = over.iter().copied().chain(source.iter().map(|(_, key)| *key)).collect();
        let locked = repo::lock_known_in_op(op, &keys).await?;
        repo::write_in_op(op, &taken_back(source, &locked)).await?;
        let over: Vec<Key> = locked.iter().map(|(key, _)| *key).filter(|key| over.contains(key)).collect();
        repo::forget_in_op(op, &over).await?;
        self.welcome_in_op(op, user, origin).await
    }

    /// Here the account is at home: its owner has proved to be here.
    pub(crate) async fn welcome_in_op(&self, op: &mut Op, user: &User, origin: &Origin) -> sqlx::Result<()> {
        let places = names(user).map(|name| self.keys.place(name, origin.address));
        repo::remember_in_op(op, &places, self.clock.now()).await
    }

    /// Whether it was right could not be told, or does not matter: it was no failure. Under overload it counts for the source all the
    /// same: that may be where the overload comes from.
    pub(crate) async fn take_back(&self, attempt: &Attempt, overloaded: bool) -> Result<(), GuardError> {
        let back: Vec<(Scope, Key)> = attempt
            .counted
            .iter()
            .filter(|(scope, _)| !(overloaded && *scope == Scope::Source))
            .copied()
            .collect();
        let keys: Vec<Key> = back.iter().map(|(_, key)| *key).collect();
        let mut op = common_db::begin(&self.pool).await?;
        let locked = repo::lock_known_in_op(&mut op, &keys).await?;
        repo::write_in_op(&mut op, &taken_back(&back, &locked)).await?;
        op.commit().await?;
        Ok(())
    }

    /// Forgets what means nothing any more.
    pub(crate) async fn purge(&self) -> sqlx::Result<()> {
        let (now, counts, batch) = (self.clock.now(), Scope::Pair.memory(), PURGE_BATCH);
        while repo::forget(&self.pool, now, counts, PLACES_KEPT, batch).await? == batch.unsigned_abs() {}
        Ok(())
    }
}

/// An attempt that may be made.
struct Tried {
    counted: Vec<(Scope, Failures)>,
    locks: Option<Failures>,
    for_a_day: bool,
    blocks_source: bool,
}

/// Or how long to wait; the rows that it looked at stay as they are then.
fn decide(found: &[Failures], at_home: bool, now: DateTime<Utc>) -> Result<Tried, GuardError> {
    let [pair, identifier, source] = *found else { return Err(GuardError::Lost) };
    match (Counts { pair, identifier, source, at_home }).attempt(now) {
        Decision::Wait { scope, until } => {
            metrics::login_held_back(scope.name());
            Err(GuardError::TooMany { wait: (until - now).to_std().unwrap_or_default() })
        }
        Decision::Try { counted, locks, for_a_day, blocks_source } => {
            Ok(Tried { counted, locks, for_a_day, blocks_source })
        }
    }
}

/// Under what somebody signs in.
fn names(user: &User) -> [&str; 2] {
    [user.email.as_str(), user.phone_number.as_str()]
}

/// Under what their second factor is counted. Nobody can type it: what is typed is counted in lower case.
fn second_factor_of(user: &User) -> String {
    format!("SECOND-FACTOR:{}", user.id)
}

/// What is left of the counts that are locked, without this attempt.
fn taken_back(counted: &[(Scope, Key)], locked: &[(Key, Failures)]) -> Vec<(Key, Failures)> {
    let scope = |key: &Key| counted.iter().find(|(_, of)| of == key).map(|(scope, _)| *scope);
    let left = locked.iter().filter_map(|(key, failures)| Some((*key, failures.one_less(scope(key)?))));
    left.collect()
}

/// The one spelling that an account has, and what was typed where nobody could have it.
fn canonical(identifier: &str) -> String {
    Identifier::parse(identifier)
        .map_or_else(|| identifier.trim().to_lowercase(), |known| known.as_str().to_owned())
}

fn locked(owner: UserId, failures: Failures) -> UserLocked {
    UserLocked(UserLockSnapshot {
        user_id: owner.uuid(),
        failures: failures.count,
        locked_at: failures.last,
        locked_until: failures.blocked_until,
    })
}
