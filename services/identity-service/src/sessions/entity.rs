//! A session, and what happens when one of its refresh tokens is presented.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::{Assurance, Method};
use common_utils::{id_type, ids::UserId};
use uuid::Uuid;

id_type!(/// A family of refresh tokens, from one login.
    SessionId);

/// So long after a token was replaced, its holder may ask for the successor again.
pub(crate) const GRACE: TimeDelta = TimeDelta::seconds(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    /// Of the token in force.
    pub(crate) generation: i32,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) proof: Proof,
    /// When the transaction PIN was last told in it.
    pub(crate) pin_at: Option<DateTime<Utc>>,
    /// The one that it was opened on, or that was bound in it: the session ends with it.
    pub(crate) device: Option<BoundDevice>,
}

/// A device of the session's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BoundDevice {
    pub(crate) id: Uuid,
    /// When it was bound.
    pub(crate) since: DateTime<Utc>,
}

/// How its owner proved who they are, and when they last did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proof {
    pub(crate) methods: BTreeSet<Method>,
    pub(crate) at: DateTime<Utc>,
}

impl Proof {
    pub(crate) fn by(methods: impl IntoIterator<Item = Method>, at: DateTime<Utc>) -> Self {
        Self { methods: methods.into_iter().collect(), at }
    }

    pub(crate) fn assurance(&self) -> Assurance {
        Assurance::of(&self.methods.iter().copied().collect::<Vec<_>>())
    }
}

/// A token of the session, as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredToken {
    pub(crate) generation: i32,
    pub(crate) replaced_at: Option<DateTime<Utc>>,
    pub(crate) sealed_successor: Option<Vec<u8>>,
}

/// What a presented token leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It is the one in force: it gets a successor.
    Rotate,
    /// It was replaced a moment ago, and the answer may have been lost: it gets the same successor.
    Repeat {
        sealed_successor: Vec<u8>,
    },
    /// It was used before: somebody has a copy, and nobody can tell who. The family ends.
    Reused,
    Expired,
    Ended,
}

/// A session that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) id: SessionId,
    pub(crate) user_id: UserId,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Which of somebody's sessions end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    One(SessionId),
    /// All but this one.
    Others(SessionId),
    /// Those on this device.
    OnDevice(Uuid),
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    Logout,
    /// By its owner, who found it in the list.
    Ended,
    Reuse,
    PasswordChanged,
    Deactivated,
    /// An operator has shut the account.
    Suspended,
    /// What it was on is none of the person's devices any more.
    DeviceRevoked,
    /// An operator took away all that the person proved themselves with beside the password.
    FactorsReset,
    Erased,
    /// The person opened more than are kept.
    TooMany,
}

impl EndReason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::Ended => "ended",
            Self::Reuse => "reuse",
            Self::PasswordChanged => "password_changed",
            Self::Deactivated => "deactivated",
            Self::Suspended => "suspended",
            Self::DeviceRevoked => "device_revoked",
            Self::FactorsReset => "factors_reset",
            Self::Erased => "erased",
            Self::TooMany => "too_many",
        }
    }
}

impl Session {
    pub(crate) fn open(user_id: UserId, proof: Proof, lifetime: TimeDelta, now: DateTime<Utc>) -> Self {
        Self {
            id: SessionId::new(),
            user_id,
            generation: 0,
            created_at: now,
            expires_at: now + lifetime,
            ended_at: None,
            proof,
            pin_at: None,
            device: None,
        }
    }

    /// Its owner has proved once more who they are. The PIN approves and proves nothing: it stands apart.
    pub(crate) fn step_up(&mut self, method: Method, now: DateTime<Utc>) {
        if method == Method::Pin {
            self.pin_at = Some(now);
        } else {
            self.proof.methods.insert(method);
            self.proof.at = now;
        }
    }

    pub(crate) fn goes_on(&self, now: DateTime<Utc>) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }

    pub(crate) fn present(&self, token: StoredToken, now: DateTime<Utc>) -> Decision {
        if self.ended_at.is_some() {
            return Decision::Ended;
        }
        if now >= self.expires_at {
            return Decision::Expired;
        }
        if token.generation == self.generation {
            return Decision::Rotate;
        }
        let before_last = token.generation.checked_add(1) == Some(self.generation);
        let recent = token.replaced_at.is_some_and(|at| now - at <= GRACE);
        match token.sealed_successor {
            Some(sealed_successor) if before_last && recent => Decision::Repeat { sealed_successor },
            _ => Decision::Reused,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn session(generation: i32) -> Session {
        let proof = Proof::by([Method::Password], at(0));
        Session { generation, ..Session::open(UserId::new(), proof, TimeDelta::days(7), at(0)) }
    }

    fn replaced(generation: i32, seconds: i64) -> StoredToken {
        StoredToken { generation, replaced_at: Some(at(seconds)), sealed_successor: Some(vec![1]) }
    }

    #[test]
    fn the_last_rotates_the_one_before_repeats_for_a_moment() {
        let session = session(2);
        let last = StoredToken { generation: 2, replaced_at: None, sealed_successor: None };
        assert_eq!(session.present(last.clone(), at(100)), Decision::Rotate);
        let repeat = Decision::Repeat { sealed_successor: vec![1] };
        assert_eq!(session.present(replaced(1, 100), at(110)), repeat);
        assert_eq!(session.present(replaced(1, 100), at(111)), Decision::Reused);
        assert_eq!(session.present(replaced(0, 100), at(100)), Decision::Reused);
        assert_eq!(session.present(last, at(7 * 86_400)), Decision::Expired);
    }

    #[test]
    fn a_fresh_proof_adds_to_the_one_before_and_a_pin_does_not() {
        let mut session = session(0);
        session.step_up(Method::Pin, at(10));
        assert_eq!((session.pin_at, session.proof.at), (Some(at(10)), at(0)));
        assert_eq!(session.proof.assurance(), Assurance::Aal1);
        session.step_up(Method::Totp, at(20));
        assert_eq!(session.proof, Proof::by([Method::Password, Method::Totp], at(20)));
        assert_eq!((session.proof.assurance(), session.pin_at), (Assurance::Aal2, Some(at(10))));
    }

    #[test]
    fn an_ended_session_stays_ended() {
        let session = Session { ended_at: Some(at(1)), ..session(0) };
        assert_eq!(session.present(replaced(0, 1), at(2)), Decision::Ended);
    }

    proptest! {
        /// Whatever is presented when: only the token in force rotates, only the one before it is answered again,
        /// and nothing is after the session's end.
        #[test]
        fn no_older_token_is_ever_answered(current in 0_i32..6, presented in 0_i32..6, age in 0_i64..30, now in 0_i64..700_000) {
            let decision = session(current).present(replaced(presented, now - age), at(now));
            if now >= 7 * 86_400 {
                prop_assert_eq!(decision, Decision::Expired);
            } else if presented == current {
                prop_assert_eq!(decision, Decision::Rotate);
            } else if presented + 1 == current && age <= 10 {
                prop_assert_eq!(decision, Decision::Repeat { sealed_successor: vec![1] });
            } else {
                prop_assert_eq!(decision, Decision::Reused);
            }
        }
    }
}
