//! Holds back who guesses passwords. The rules are in `entity.rs`, their numbers in `failures.rs`.
//!
//! An attempt counts as failed before the password is looked at, in a transaction of its own, and what turns out to be right is
//! taken back: however many come at the same moment, and wherever the process dies, none is free. Identifiers that nobody has are
//! counted in the same way, so nobody learns from a wait which exist.

mod entity;
pub(crate) mod error;
mod failures;
mod key;
mod repo;

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{Op, PgPool};
use common_events::{
    Actor, EventContext,
    contracts::{SourceBlocked, SourceBlockedSnapshot, UserLockSnapshot, UserLocked},
};
use common_utils::{clock::SharedClock, crypto::sealing::KeyFile, ids::UserId};

use crate::{
    SERVICE_NAME, metrics,
    notices::{Notices, entity::Message},
    sessions::Origin,
    users::{self, ContactKind, Identifier, entity::User},
};
use entity::{Counted, Counts, Decision, Tried};
use error::GuardError;
use failures::{Failures, Scope};
use key::{AttemptKeys, Key, Keys};

/// A place where somebody has not signed in for so long is a new one.
const PLACES_KEPT: TimeDelta = TimeDelta::days(90);
/// An owner is told no more often of those who guess.
const TOLD_EVERY: TimeDelta = TimeDelta::days(1);
const PURGE_BATCH: i64 = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pool: PgPool,
    clock: SharedClock,
    notices: Notices,
    keys: Keys,
}

/// What is tried.
#[derive(Clone, Copy)]
struct Target<'a> {
    /// Under which it is counted.
    name: &'a str,
    /// Who it lets in, if anybody.
    owner: Option<UserId>,
    /// By which the release before knew the owner's places.
    typed: &'a str,
    /// Who tries it knows the password.
    knows_password: bool,
}

/// A password that is about to be tried.
#[derive(Debug)]
pub(crate) struct Attempt {
    counted: Vec<Count>,
}

/// One of the counts of an attempt, by which it is found again.
#[derive(Debug, Clone, Copy)]
struct Count {
    key: Key,
    scope: Scope,
    new_account: bool,
}

impl Count {
    fn of(counted: &Counted, keys: &AttemptKeys) -> Self {
        Self { key: keys.key(counted.scope), scope: counted.scope, new_account: counted.new_account }
    }
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
        self.count(Target { name: &name, owner, typed: &name, knows_password: false }, origin).await
    }

    /// The same for a second factor, which somebody is asked for who has told the right password. It has counts of its own: the right
    /// password ends none of them, and a wait of theirs holds no password back.
    pub(crate) async fn second_attempt(&self, user: &User, origin: &Origin) -> Result<Attempt, GuardError> {
        let name = second_factor_of(user);
        let (owner, typed) = (Some(user.id), user.email.as_str());
        self.count(Target { name: &name, owner, typed, knows_password: true }, origin).await
    }

    async fn count(&self, target: Target<'_>, origin: &Origin) -> Result<Attempt, GuardError> {
        let now = self.clock.now();
        let keys = self.keys.of(target.name, origin.address);
        let at_home = self.is_at_home(target, origin).await?;
        // Who has to wait anyway queues for no lock, and holds no connection meanwhile; but for the first time, when a turn is noted.
        let seen = decide(&repo::read(&self.pool, &keys.all(), now).await?, at_home, now)?;
        if let Decision::Wait { scope, until, turn: None } = seen {
            return Err(held_back(scope, until - now));
        }
        let mut op = common_db::begin(&self.pool).await?;
        let found = repo::lock_in_op(&mut op, &keys.all(), now).await?;
        let tried = match decide(&found, at_home, now)? {
            Decision::Try(tried) => tried,
            Decision::Wait { scope, until, turn } => {
                if let Some(pair) = turn {
                    repo::write_in_op(&mut op, &[(keys.pair, pair)]).await?;
                    op.commit().await?;
                }
                return Err(held_back(scope, until - now));
            }
        };
        let written: Vec<(Key, Failures)> =
            tried.counted.iter().map(|counted| (keys.key(counted.scope), counted.failures)).collect();
        repo::write_in_op(&mut op, &written).await?;
        publish_in_op(&mut op, &tried, target.owner, &keys.source, now).await?;
        let warned = self.warn_in_op(&mut op, &tried, target).await?;
        op.commit().await?;
        if warned {
            self.notices.wake();
        }
        tell(&tried, target.owner, &keys.source);
        Ok(Attempt { counted: tried.counted.iter().map(|counted| Count::of(counted, &keys)).collect() })
    }

    async fn is_at_home(&self, target: Target<'_>, origin: &Origin) -> sqlx::Result<bool> {
        let place = self.keys.place(target.owner, origin.address);
        let of_before = self.keys.place_of_before(target.typed, origin.address);
        repo::is_place(&self.pool, &place, &of_before, target.owner).await
    }

    /// Writes the owner, once a day, when strangers have failed so often that they do not mistype. Tells whether it did.
    async fn warn_in_op(&self, op: &mut Op, tried: &Tried, target: Target<'_>) -> Result<bool, GuardError> {
        let Some(owner) = target.owner.filter(|_| tried.is_to_be_told()) else { return Ok(false) };
        let now = self.clock.now();
        if !repo::note_in_op(op, &self.keys.told(owner), now, now + TOLD_EVERY).await? {
            return Ok(false);
        }
        let Some(user) = users::repo::find(&mut **op, owner).await? else { return Ok(false) };
        let to = user.trusted_contact(ContactKind::Email);
        self.notices.write_in_op(op, &[Message::sign_ins_fail(&to, target.knows_password, now)]).await?;
        Ok(true)
    }

    /// They are signed in: what failed before does not count, and this place is one of theirs.
    pub(crate) async fn succeeded_in_op(
        &self,
        op: &mut Op,
        attempt: &Attempt,
        user: &User,
        origin: &Origin,
    ) -> sqlx::Result<()> {
        let source = attempt.counted.iter().filter(|count| count.scope == Scope::Source);
        let second_factor = second_factor_of(user);
        let [email, phone] = names(user);
        let source = source.copied().collect::<Vec<_>>();
        self.clear_in_op(op, &[email, phone, &second_factor], &source, (user, origin)).await
    }

    /// Who has proved who they are by something else, a token that was sent to them, a passkey or a device, is not held back by the
    /// passwords that failed before.
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
        source: &[Count],
        (user, origin): (&User, &Origin),
    ) -> sqlx::Result<()> {
        let pairs = names.iter().map(|name| self.keys.pair(name, origin.address));
        let over: Vec<Key> = pairs.chain(names.iter().map(|name| self.keys.identifier(name))).collect();
        let keys: Vec<Key> = over.iter().copied().chain(source.iter().map(|count| count.key)).collect();
        let locked = repo::lock_known_in_op(op, &keys).await?;
        repo::write_in_op(op, &taken_back(source, &locked)).await?;
        let over: Vec<Key> = locked.iter().map(|(key, _)| *key).filter(|key| over.contains(key)).collect();
        repo::forget_in_op(op, &over).await?;
        self.welcome_in_op(op, user, origin).await
    }

    /// Here the account is at home: its owner has proved to be here.
    pub(crate) async fn welcome_in_op(&self, op: &mut Op, user: &User, origin: &Origin) -> sqlx::Result<()> {
        let place = self.keys.place(Some(user.id), origin.address);
        repo::remember_in_op(op, &place, self.clock.now()).await
    }

    /// Whether it was right could not be told, or does not matter: it was no failure. Under overload it counts for the source all the
    /// same: that may be where the overload comes from.
    pub(crate) async fn take_back(&self, attempt: &Attempt, overloaded: bool) -> Result<(), GuardError> {
        let kept = |count: &&Count| overloaded && count.scope == Scope::Source;
        let back: Vec<Count> = attempt.counted.iter().filter(|count| !kept(count)).copied().collect();
        let keys: Vec<Key> = back.iter().map(|count| count.key).collect();
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

fn decide(found: &[Failures], at_home: bool, now: DateTime<Utc>) -> Result<Decision, GuardError> {
    let [pair, identifier, source] = *found else { return Err(GuardError::Lost) };
    Ok((Counts { pair, identifier, source, at_home }).attempt(now))
}

fn held_back(scope: Scope, wait: TimeDelta) -> GuardError {
    metrics::login_held_back(scope.name());
    GuardError::TooMany { wait: wait.to_std().unwrap_or_default() }
}

/// Tells operators. The source by its keyed hash, as the event does: the call's correlation id leads to the address.
fn tell(tried: &Tried, owner: Option<UserId>, source: &Key) {
    if tried.locks.is_some() {
        metrics::account_locked();
        tracing::warn!(
            security = true,
            user_id = owner.map(tracing::field::display),
            "too many sign-ins failed: strangers wait"
        );
    }
    if let Some(Failures { count, accounts, .. }) = tried.stuffing {
        metrics::source_blocked();
        tracing::warn!(
            security = true,
            source = hex::encode(source),
            failures = count,
            accounts,
            "many accounts were tried from one address: it waits"
        );
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
fn taken_back(counted: &[Count], locked: &[(Key, Failures)]) -> Vec<(Key, Failures)> {
    let left = locked.iter().filter_map(|(key, failures)| {
        let count = counted.iter().find(|count| count.key == *key)?;
        Some((*key, failures.one_less(count.scope, count.new_account)))
    });
    left.collect()
}

/// The one spelling that an account has, and what was typed where nobody could have it.
fn canonical(identifier: &str) -> String {
    Identifier::parse(identifier)
        .map_or_else(|| identifier.trim().to_lowercase(), |known| known.as_str().to_owned())
}

/// What others learn of it: of accounts that there are, and of sources whatever they tried.
async fn publish_in_op(
    op: &mut Op,
    tried: &Tried,
    owner: Option<UserId>,
    source: &Key,
    now: DateTime<Utc>,
) -> Result<(), GuardError> {
    let context = EventContext::new(SERVICE_NAME, Actor::service(SERVICE_NAME), now);
    if let (Some(failures), Some(owner)) = (tried.locks, owner) {
        users::publish_in_op(op, &context, &locked(owner, failures)).await?;
    }
    if let Some(failures) = tried.stuffing {
        users::publish_in_op(op, &context, &blocked(source, failures)).await?;
    }
    Ok(())
}

fn locked(owner: UserId, failures: Failures) -> UserLocked {
    UserLocked(UserLockSnapshot {
        user_id: owner.uuid(),
        failures: failures.count,
        locked_at: failures.last,
        locked_until: failures.blocked_until,
    })
}

fn blocked(source: &Key, failures: Failures) -> SourceBlocked {
    SourceBlocked(SourceBlockedSnapshot {
        source_hash: hex::encode(source),
        failures: failures.count,
        accounts: failures.accounts,
        blocked_at: failures.last,
        blocked_until: failures.blocked_until,
    })
}
