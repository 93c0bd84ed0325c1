//! A ceremony: a challenge of ours that an authenticator signs. Each is for one purpose, and for the person and the session that
//! began it; it is good for five minutes and one use, whatever comes of it.

use chrono::TimeDelta;
use common_utils::{id_type, ids::UserId};
use uuid::Uuid;

id_type!(/// A ceremony that is under way.
    CeremonyId);

pub(crate) const LIFETIME: TimeDelta = TimeDelta::minutes(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Makes a passkey.
    Register { user: UserId, session: Uuid },
    /// Signs in whoever has the passkey.
    SignIn,
    /// Ends a sign-in that began with a password.
    SecondFactor { user: UserId, challenge: Uuid },
    /// Proves anew that somebody is there who signed in before.
    StepUp { user: UserId, session: Uuid },
}

impl Purpose {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::SignIn => "sign_in",
            Self::SecondFactor { .. } => "second_factor",
            Self::StepUp { .. } => "step_up",
        }
    }

    /// Whose it is, where that is known before.
    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Self::Register { user, .. } | Self::SecondFactor { user, .. } | Self::StepUp { user, .. } => {
                Some(user)
            }
            Self::SignIn => None,
        }
    }

    /// The session or the sign-in that it belongs to.
    pub(crate) fn bound_to(self) -> Option<Uuid> {
        match self {
            Self::Register { session, .. } | Self::StepUp { session, .. } => Some(session),
            Self::SecondFactor { challenge, .. } => Some(challenge),
            Self::SignIn => None,
        }
    }
}
