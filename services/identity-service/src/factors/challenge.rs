//! A sign-in under way: the password was right, and the second factor is asked for.
//!
//! Whoever holds its token goes on with it: once, within five minutes, and after at most four wrong codes. It is made and used under the
//! lock of its person's row, and another password deletes it: so none outlives the password that it was made for.

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::Method;

use crate::{crypto::token::SecretToken, users::entity::User};

pub(super) const LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// Open ones of one person: the oldest goes when another is made.
pub(super) const MOST_OPEN: i64 = 10;
const MOST_ATTEMPTS: i16 = 5;

/// As its holder is told of it.
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) token: SecretToken,
    /// What may be given.
    pub(crate) methods: Vec<Method>,
}

impl Challenge {
    pub(super) fn for_user(user: &User) -> Self {
        Self { token: SecretToken::random(), methods: user.second_factors() }
    }
}

/// As the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredChallenge {
    /// What was proved before.
    pub(super) methods: Vec<Method>,
    pub(super) attempts: i16,
    pub(super) expires_at: DateTime<Utc>,
}

impl StoredChallenge {
    /// Counts an attempt; false where none is left.
    pub(super) fn attempt(&mut self, now: DateTime<Utc>) -> bool {
        let open = now < self.expires_at && self.attempts < MOST_ATTEMPTS;
        self.attempts += i16::from(open);
        open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn five_attempts_within_its_time() {
        let fresh = StoredChallenge { methods: vec![Method::Password], attempts: 0, expires_at: at(300) };
        let mut tried = fresh.clone();
        let attempts: Vec<bool> = (0..6).map(|_| tried.attempt(at(1))).collect();
        assert_eq!(attempts, [true, true, true, true, true, false]);
        assert_eq!(tried.attempts, 5);
        assert!(fresh.clone().attempt(at(299)) && !fresh.clone().attempt(at(300)));
    }
}
