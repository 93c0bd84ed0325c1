//! What people are told. An SMS is short; none says more about an account than its recipient may know.

use chrono::{DateTime, Utc};
use zeroize::Zeroizing;

use super::entity::{Channel, Content, Kind, Message, WORTH_READING};
use crate::users::Identifier;

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
    pub(crate) fn account_erased(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = "Your account and what was known of you were erased; nobody can open it again. What the law has us keep stays \
                    encrypted until it need not be kept any more, and is deleted then. If this was not you, tell support at once."
            .to_owned();
        Self::new(Kind::AccountErased, to, "Your account was erased", text, now + WORTH_READING)
    }
}
