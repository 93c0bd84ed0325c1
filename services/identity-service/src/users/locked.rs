//! A person whose row is locked, and the time of what is changed of them under that lock.
//!
//! Other services keep the newest that they were told of a person, by the time of the event. So these times ascend in the order in which
//! the changes are committed, whatever the clocks say: the time is taken when the lock is there, and is always later than that of the
//! change before, which another instance may have made by a clock that is ahead. Nobody else writes `users.updated_at`, and no snapshot
//! of somebody who is registered is published by any other way.

use std::ops::{Deref, DerefMut};

use chrono::{DateTime, TimeDelta, Utc};
use common_db::Op;
use common_events::{
    Actor, EventContext,
    contracts::{EventData, UserSnapshot},
};
use common_utils::clock::SharedClock;

use super::{entity::User, error::UserError, events, publish_in_op};
use crate::SERVICE_NAME;

/// What the database tells apart.
const LATER: TimeDelta = TimeDelta::microseconds(1);

/// Made by [`super::repo::find_locked_in_op`] alone.
#[derive(Debug)]
pub(crate) struct LockedUser {
    user: User,
    at: DateTime<Utc>,
}

impl LockedUser {
    /// To be called when the lock is there: before, somebody else may still take a time.
    pub(super) fn new(user: User, updated_at: DateTime<Utc>, clock: &SharedClock) -> Self {
        Self { user, at: clock.now().max(updated_at + LATER) }
    }

    /// When this transaction changes them, for their row and for events. It may be ahead of the clock, so it neither says what is due or has
    /// expired, nor from when on something holds: those are the clock's.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// Writes an event that tells how they are from now on. Before or after it, one of `repo`'s statements writes the same.
    pub(crate) async fn publish_in_op<T: EventData>(
        &self,
        op: &mut Op,
        by: Actor,
        event: fn(UserSnapshot) -> T,
    ) -> Result<(), UserError> {
        let context = EventContext::new(SERVICE_NAME, by, self.at);
        publish_in_op(op, &context, &event(events::snapshot(&self.user))).await
    }
}

impl Deref for LockedUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl DerefMut for LockedUser {
    fn deref_mut(&mut self) -> &mut User {
        &mut self.user
    }
}

impl From<LockedUser> for User {
    fn from(locked: LockedUser) -> Self {
        locked.user
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common_utils::clock::ManualClock;
    use proptest::prelude::*;

    use super::*;
    use crate::users::entity::NewUser;

    fn user(now: DateTime<Utc>) -> User {
        let new = NewUser {
            email: "ada@example.com".parse().unwrap(),
            phone_number: "+2348031234567".parse().unwrap(),
            first_name: "Ada".parse().unwrap(),
            last_name: "Obi".parse().unwrap(),
        };
        User::register(new, None, now)
    }

    proptest! {
        /// However the clocks of the instances differ that change somebody one after the other.
        #[test]
        fn times_ascend_and_are_the_clocks_where_that_is_ahead(
            clocks in prop::collection::vec(-60_000_000_i64..60_000_000, 1..20),
        ) {
            let begin: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
            let mut before = begin;
            for off in clocks {
                let clock = ManualClock::new(begin + TimeDelta::microseconds(off));
                let now = begin + TimeDelta::microseconds(off);
                let shared: SharedClock = Arc::clone(&clock) as SharedClock;
                let at = LockedUser::new(user(begin), before, &shared).at();
                prop_assert!(at > before);
                prop_assert_eq!(at, if now > before { now } else { before + LATER });
                before = at;
            }
        }
    }
}
