//! What people are told. An SMS is short; none says more about an account than its recipient may know.

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::entity::{Channel, Content, Kind, Message, WORTH_READING};
use crate::{
    kyc::cases::entity::{Case, Status},
    users::{Identifier, entity::TierChange},
};

const ASK: &str = "If this was not you, reset your password and tell support at once.";

impl Message {
    fn new(kind: Kind, to: &Identifier, subject: &str, text: String, expires_at: DateTime<Utc>) -> Self {
        let content = Content { to: to.as_str().to_owned(), subject: subject.to_owned(), text };
        Self { channel: Channel::of(to), kind, content, expires_at }
    }

    /// A code that proves that its recipient reads what is sent there.
    pub(crate) fn code(to: &Identifier, code: &str, minutes: i64, expires_at: DateTime<Utc>) -> Self {
        let text = format!(
            "{code} is your code. It is good for {minutes} minutes. We never ask you for it; give it to nobody."
        );
        Self::new(Kind::Code, to, "Your code", text, expires_at)
    }

    /// `secret` is the address where a new password is set, or the token that is entered there.
    pub(crate) fn password_reset(
        to: &Identifier,
        secret: &Zeroizing<String>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        let text = format!(
            "Somebody, probably you, asked for a new password. Within an hour you set it with: {}\n\
             If it was not you, do nothing: your password stays as it is.",
            secret.as_str()
        );
        Self::new(Kind::PasswordReset, to, "A new password", text, expires_at)
    }

    pub(crate) fn password_changed(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!("Your password was changed, and you were signed out everywhere else. {ASK}");
        Self::new(Kind::PasswordChanged, to, "Your password was changed", text, now + WORTH_READING)
    }

    /// To the address or number that was replaced.
    pub(crate) fn contact_changed(old: &Identifier, now: DateTime<Utc>) -> Self {
        let what = match old {
            Identifier::Email(_) => "e-mail address",
            Identifier::Phone(_) => "phone number",
        };
        let text = format!(
            "Your account has another {what} from now on; this one is no longer used. \
             If this was not you, tell support at once."
        );
        Self::new(Kind::ContactChanged, old, "Your account was changed", text, now + WORTH_READING)
    }

    pub(crate) fn account_deactivated(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!("Your account was deactivated. Support can open it again for you. {ASK}");
        Self::new(Kind::AccountDeactivated, to, "Your account was deactivated", text, now + WORTH_READING)
    }

    /// None where the person has nothing to know or to do. Why is told to who signs in: a message may be read by others.
    pub(crate) fn kyc_case(to: &Identifier, case: &Case, now: DateTime<Utc>) -> Option<Self> {
        let tier = case.tier;
        let text = match case.status {
            Status::MoreNeeded => format!(
                "To verify you for tier {tier} we need something more. Sign in to see what, and send it within the time that is told there."
            ),
            Status::Approved => format!("You are verified for tier {tier}."),
            Status::Rejected => format!("You could not be verified for tier {tier}. Sign in to see why."),
            Status::Expired => format!(
                "What we needed to verify you for tier {tier} has not come, and your application has ended. You may apply again."
            ),
            Status::Submitted | Status::InReview => return None,
        };
        Some(Self::new(Kind::Kyc, to, "Your verification", text, now + WORTH_READING))
    }

    pub(crate) fn kyc_due(to: &Identifier, tier: i16, until: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let day = until.date_naive();
        let text = format!("You are verified for tier {tier} until {day}. Apply again before to keep it.");
        Self::new(Kind::Kyc, to, "Verify yourself again", text, now + WORTH_READING)
    }

    pub(crate) fn kyc_lapsed(to: &Identifier, change: TierChange, now: DateTime<Utc>) -> Self {
        let TierChange { old, new } = change;
        let text = format!(
            "You were not verified again in time: tier {old} has become tier {new}. Apply again to get it back."
        );
        Self::new(Kind::Kyc, to, "Your verification has run out", text, now + WORTH_READING)
    }
}
