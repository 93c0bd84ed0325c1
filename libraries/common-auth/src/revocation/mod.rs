//! What is taken back of access tokens before they expire: sessions that ended, and roles or a tier that somebody no longer has.
//!
//! Each instance of a service keeps its own list in memory and hears of changes by itself (`watch.rs`). An entry lives as long as a
//! token can that it is about, so the list is as long as a quarter of an hour's log-outs. It is asked for each call, also for
//! tokens that are remembered as verified: two look-ups, under a lock that is never held over an await.

mod readiness;
mod watch;

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use common_utils::ids::UserId;
use uuid::Uuid;

pub use self::{
    readiness::RevocationsCheck,
    watch::{Heard, keep_informed},
};
use crate::{Claims, Role, revocation::readiness::Informed, verify::TokenError};

/// As long as an access token lives where nobody says otherwise.
pub const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);
/// Tokens and events are dated by different instances, whose clocks differ (seconds).
const CLOCKS_DIFFER: i64 = 5;

#[derive(Debug, Default)]
pub struct Revocations {
    lists: RwLock<Lists>,
    informed: Informed,
}

#[derive(Debug, Default)]
struct Lists {
    /// Ended sessions, and the second until which tokens of theirs can live.
    sessions: HashMap<Uuid, i64>,
    people: HashMap<UserId, Entry>,
}

#[derive(Debug)]
struct Entry {
    standing: Standing,
    /// The second until which tokens can live that were signed before.
    until: i64,
}

/// What somebody may do from a moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub since: DateTime<Utc>,
    pub roles: Vec<Role>,
    pub tier: i16,
    pub active: bool,
}

impl Standing {
    /// Whether what a token says still holds. A tier that has risen takes nothing from older tokens: they promise less than
    /// there is, and somebody who has just been verified goes on with what they have in hand.
    pub fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        if !self.active {
            return Err(TokenError::Inactive);
        }
        let same = |role: &Role| self.roles.contains(role);
        // A machine has no roles, whatever its owner has.
        let same_roles =
            claims.is_machine() || claims.roles.len() == self.roles.len() && claims.roles.iter().all(same);
        if same_roles && claims.tier <= self.tier { Ok(()) } else { Err(TokenError::Outdated) }
    }
}

impl Revocations {
    /// Tokens of the session are refused until `until`, when the last of them has expired.
    pub fn end_session(&self, session: Uuid, until: DateTime<Utc>) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        let known = lists.sessions.entry(session).or_insert(i64::MIN);
        *known = until.timestamp().max(*known);
    }

    /// Tokens of the person that were signed before and say otherwise are refused until `until`. What is older than what is
    /// known changes nothing.
    pub fn change_standing(&self, user: UserId, standing: Standing, until: DateTime<Utc>) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        if lists.people.get(&user).is_none_or(|known| known.standing.since <= standing.since) {
            lists.people.insert(user, Entry { standing, until: until.timestamp() });
        }
    }

    /// Whether a token with these claims is still to be believed.
    pub fn check(&self, claims: &Claims) -> Result<(), TokenError> {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        if lists.sessions.contains_key(&claims.sid) {
            return Err(TokenError::Ended);
        }
        let Some(Entry { standing, .. }) = lists.people.get(&claims.sub) else { return Ok(()) };
        let before = claims.iat <= standing.since.timestamp().saturating_add(CLOCKS_DIFFER);
        if before { standing.check(claims) } else { Ok(()) }
    }

    /// Forgets what is about tokens that have expired.
    pub fn forget_expired(&self, now: DateTime<Utc>) {
        let now = now.timestamp();
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        lists.sessions.retain(|_, until| *until > now);
        lists.people.retain(|_, entry| entry.until > now);
        lists.sessions.shrink_to_fit();
        lists.people.shrink_to_fit();
    }

    /// How many sessions and people are on the list.
    pub fn len(&self) -> (usize, usize) {
        let lists = self.lists.read().unwrap_or_else(PoisonError::into_inner);
        (lists.sessions.len(), lists.people.len())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{Scopes, testing};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn standing(since: i64, roles: &[Role], tier: i16) -> Standing {
        Standing { since: at(since), roles: roles.to_vec(), tier, active: true }
    }

    #[test]
    fn an_ended_session_is_refused_until_its_tokens_have_expired() {
        let (list, claims) = (Revocations::default(), testing::claims(UserId::new(), at(0)));
        assert!(list.check(&claims).is_ok());
        list.end_session(claims.sid, at(900));
        list.end_session(claims.sid, at(10));
        list.forget_expired(at(899));
        assert!(matches!(list.check(&claims), Err(TokenError::Ended)));
        let other = Claims { sid: Uuid::nil(), ..claims };
        assert!(list.check(&other).is_ok(), "another session of the same person goes on");
        list.forget_expired(at(900));
        assert_eq!(list.len(), (0, 0));
    }

    #[test]
    fn a_role_that_was_taken_or_given_makes_older_tokens_outdated() {
        let user = UserId::new();
        let token =
            |iat: i64, roles: &[Role]| Claims { roles: roles.to_vec(), ..testing::claims(user, at(iat)) };
        let outdated =
            |list: &Revocations, claims: &Claims| matches!(list.check(claims), Err(TokenError::Outdated));
        let staff = [Role::User, Role::Support];
        let list = Revocations::default();
        list.change_standing(user, standing(100, &[Role::User], 0), at(1000));
        assert!(outdated(&list, &token(50, &staff)));
        assert!(outdated(&list, &token(50, &[Role::Support])), "as many, and others");
        assert!(outdated(&list, &token(100, &staff)), "signed in the second of the change");
        assert!(!outdated(&list, &token(100, &[Role::User])), "signed in that second, after the change");
        assert!(!outdated(&list, &token(50, &[Role::User])));
        assert!(!outdated(&list, &token(106, &staff)), "signed after it, by who knows more than this list");
        list.change_standing(user, standing(200, &staff, 0), at(1100));
        assert!(outdated(&list, &token(150, &[Role::User])), "so that the client gets the new role");
    }

    #[test]
    fn a_lower_tier_and_an_account_that_is_not_active_count_and_a_higher_tier_does_not() {
        let claims = Claims { tier: 1, ..testing::claims(UserId::new(), at(0)) };
        let said = |standing: Standing| {
            let list = Revocations::default();
            list.change_standing(claims.sub, standing, at(900));
            list.check(&claims)
        };
        assert!(matches!(said(standing(1, &[Role::User], 0)), Err(TokenError::Outdated)));
        assert!(said(standing(1, &[Role::User], 1)).is_ok());
        assert!(said(standing(1, &[Role::User], 2)).is_ok());
        let inactive = Standing { active: false, ..standing(1, &[Role::User], 1) };
        assert!(matches!(said(inactive), Err(TokenError::Inactive)));
    }

    #[test]
    fn a_machine_ends_with_its_secret_or_its_owner_and_not_with_a_role() {
        let claims = testing::machine_claims(UserId::new(), Scopes::default(), at(0));
        let list = Revocations::default();
        list.change_standing(claims.sub, standing(1, &[Role::User, Role::Support], 0), at(900));
        assert!(list.check(&claims).is_ok());
        let inactive = Standing { active: false, ..standing(2, &[Role::User], 0) };
        list.change_standing(claims.sub, inactive, at(900));
        assert!(matches!(list.check(&claims), Err(TokenError::Inactive)));
        let list = Revocations::default();
        list.end_session(claims.sid, at(900));
        assert!(matches!(list.check(&claims), Err(TokenError::Ended)));
    }

    #[test]
    fn what_comes_late_does_not_undo_what_is_newer() {
        let claims = Claims { roles: vec![Role::User, Role::Admin], ..testing::claims(UserId::new(), at(0)) };
        let list = Revocations::default();
        list.change_standing(claims.sub, standing(20, &[Role::User], 0), at(900));
        list.change_standing(claims.sub, standing(10, &[Role::User, Role::Admin], 0), at(900));
        assert!(list.check(&claims).is_err());
    }
}
