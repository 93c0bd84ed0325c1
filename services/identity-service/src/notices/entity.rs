//! A message: whom it goes to and how, until when it says something, and when it is tried again.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::users::Identifier;

/// An attempt that is under way belongs to one worker for so long: longer than it can last.
pub(crate) const LEASE: TimeDelta = TimeDelta::minutes(1);
/// A pause is up to this many thousandths longer, so that what failed together does not come back together.
pub(crate) const SPREAD: i32 = 250;
/// What is no code is worth reading for a day.
pub(crate) const WORTH_READING: TimeDelta = TimeDelta::days(1);

const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// A carrier may have sent what it answers too late for: nobody gets the same message without end.
const MOST_ATTEMPTS: i32 = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    Email,
    Sms,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is no way to reach people")]
pub(crate) struct UnknownChannel(String);

impl Channel {
    pub(crate) const ALL: [Self; 2] = [Self::Email, Self::Sms];

    pub(crate) fn of(contact: &Identifier) -> Self {
        match contact {
            Identifier::Email(_) => Self::Email,
            Identifier::Phone(_) => Self::Sms,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }
}

impl FromStr for Channel {
    type Err = UnknownChannel;

    fn from_str(name: &str) -> Result<Self, UnknownChannel> {
        Self::ALL
            .into_iter()
            .find(|channel| channel.name() == name)
            .ok_or_else(|| UnknownChannel(name.to_owned()))
    }
}

/// Why somebody is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Code,
    PasswordReset,
    PasswordChanged,
    SignInsFail,
    /// Passwords, or second factors.
    Guessing,
    SessionCopied,
    ContactChanged,
    AccountDeactivated,
    AccountReactivated,
    AccountSuspended,
    ApiKeyChanged,
    FactorChanged,
    RecoveryCodeUsed,
    PinChanged,
    PinLocked,
    PasskeyDisabled,
    Kyc,
    AccountErased,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::SignInsFail => "sign_ins_fail",
            Self::Guessing => "guessing",
            Self::SessionCopied => "session_copied",
            Self::ContactChanged => "contact_changed",
            Self::AccountDeactivated => "account_deactivated",
            Self::AccountReactivated => "account_reactivated",
            Self::AccountSuspended => "account_suspended",
            Self::ApiKeyChanged => "api_key_changed",
            Self::FactorChanged => "factor_changed",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::PinChanged => "pin_changed",
            Self::PinLocked => "pin_locked",
            Self::PasskeyDisabled => "passkey_disabled",
            Self::Kyc => "kyc",
            Self::AccountErased => "account_erased",
        }
    }
}

/// What a transport gets. It does not print, and is wiped from memory.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content(…)")
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.to.zeroize();
        self.subject.zeroize();
        self.text.zeroize();
    }
}

/// A message to be written into the queue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) channel: Channel,
    pub(crate) kind: Kind,
    pub(crate) content: Content,
    pub(crate) expires_at: DateTime<Utc>,
}

/// How a message ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Sent,
    /// It was refused for good, or there was no time left for another attempt.
    Failed,
    /// Nobody had time for it while it said something.
    Expired,
}

impl End {
    pub(crate) const ALL: [Self; 3] = [Self::Sent, Self::Failed, Self::Expired];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }
}

/// When a message is tried again whose `attempts`-th attempt failed: not for ever, and never where it would say nothing any more. `spread` is from
/// 0 to [`SPREAD`].
pub(crate) fn next_attempt(
    attempts: i32,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
    spread: i32,
) -> Option<DateTime<Utc>> {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(12);
    let pause = (FIRST_PAUSE * (1 << doublings)).min(LONGEST_PAUSE);
    let at = now + pause + pause * spread / 1000;
    (at < expires_at && attempts < MOST_ATTEMPTS).then_some(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_end() {
        let pause = |attempts| next_attempt(attempts, at(10_000), at(0), 0).map(|at| at.timestamp());
        assert_eq!(
            [pause(0), pause(1), pause(2), pause(7), pause(12), pause(15)],
            [Some(1), Some(1), Some(2), Some(64), Some(2048), Some(3600)]
        );
        assert_eq!([pause(16), pause(i32::MAX)], [None, None]);
        assert_eq!(next_attempt(7, at(10_000), at(0), SPREAD), Some(at(80)));
    }

    #[test]
    fn what_would_say_nothing_any_more_is_not_tried_again() {
        assert_eq!(next_attempt(7, at(64), at(0), 0), None);
        assert_eq!(next_attempt(7, at(65), at(0), 0), Some(at(64)));
    }

    #[test]
    fn a_message_does_not_print() {
        let content = Content { to: "ada@example.com".into(), subject: "Code".into(), text: "123456".into() };
        assert_eq!(format!("{content:?}"), "Content(…)");
    }

    proptest! {
        /// However often it failed: later than now, before it expires, and within five quarters of an hour.
        #[test]
        fn the_next_attempt_is_soon_and_in_time(attempts in any::<i32>(), left in 0_i64..100_000, spread in 0..=SPREAD) {
            match next_attempt(attempts, at(left), at(0), spread) {
                Some(next) => prop_assert!(next > at(0) && next < at(left) && next <= at(4500)),
                None => prop_assert!(left <= 4500 || attempts >= MOST_ATTEMPTS),
            }
        }
    }
}
