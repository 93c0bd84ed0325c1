//! What people are told. An SMS is short; none says more about an account than its recipient may know.

use chrono::{DateTime, Utc};
use common_auth::Method;
use zeroize::Zeroizing;

use super::entity::{Channel, Content, Kind, Message, WORTH_READING};
use crate::{
    kyc::cases::entity::{Case, Status},
    reclaim::Taken,
    users::{Identifier, entity::TierChange},
};

const ASK: &str = "If this was not you, reset your password and tell support at once.";

/// As people call it.
fn shown(method: Method) -> &'static str {
    match method {
        Method::Password => "your password",
        Method::Totp => "an authenticator app",
        Method::Recovery => "new recovery codes",
        Method::Passkey => "a passkey",
        Method::Device => "a phone",
        Method::Pin => "your transaction PIN",
    }
}

/// A sentence about what was taken away, where anything was.
fn gone(taken: &Taken) -> String {
    let methods = taken.methods.iter().copied().map(shown);
    let gone: Vec<&str> = methods.chain((taken.api_keys > 0).then_some("API keys")).collect();
    if gone.is_empty() { String::new() } else { format!("Gone with it: {}. ", gone.join(", ")) }
}

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

    /// Somebody else guesses, at places that are new to the account.
    pub(crate) fn sign_ins_fail(to: &Identifier, knows_password: bool, now: DateTime<Utc>) -> Self {
        let (what, then) = if knows_password {
            ("has your password and tries to guess your second factor", "Set another password now")
        } else {
            ("tries to guess your password", "If you use the password anywhere else, set another one")
        };
        let text = format!(
            "Somebody {what}. They have to wait between two tries. Where you have signed in before you sign in as always; in a new \
             place you may have to wait for up to 15 minutes, or reset your password to come in at once. {then}."
        );
        Self::new(Kind::SignInsFail, to, "Somebody tries to sign in as you", text, now + WORTH_READING)
    }

    pub(crate) fn password_was_reset(to: &Identifier, taken: &Taken, now: DateTime<Utc>) -> Self {
        let gone = gone(taken);
        let text = format!("Your password was changed, and you were signed out everywhere. {gone}{ASK}");
        Self::new(Kind::PasswordChanged, to, "Your password was changed", text, now + WORTH_READING)
    }

    pub(crate) fn passwords_guessed(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!(
            "Somebody who is signed in as you has told wrong passwords fifty times; none is taken from them for a day. \
             End the sessions that are not yours. {ASK}"
        );
        Self::new(Kind::Guessing, to, "Somebody guesses your password", text, now + WORTH_READING)
    }

    pub(crate) fn session_copied(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!(
            "You were signed out on one of your devices: somebody else may have had a copy of what it was signed in with. \
             Sign in again there. {ASK}"
        );
        Self::new(Kind::SessionCopied, to, "You were signed out on a device", text, now + WORTH_READING)
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

    /// `name` is what its owner calls it.
    pub(crate) fn api_key_created(to: &Identifier, name: &str, now: DateTime<Utc>) -> Self {
        let text =
            format!("An API key was made for your account: {name}. A machine may act for you with it. {ASK}");
        Self::new(Kind::ApiKeyChanged, to, "An API key was made", text, now + WORTH_READING)
    }

    pub(crate) fn api_key_rotated(to: &Identifier, name: &str, now: DateTime<Utc>) -> Self {
        let text = format!("An API key of your account got another secret: {name}. {ASK}");
        Self::new(Kind::ApiKeyChanged, to, "An API key was rotated", text, now + WORTH_READING)
    }

    pub(crate) fn factor_added(to: &Identifier, method: Method, now: DateTime<Utc>) -> Self {
        let text = format!("From now on you can sign in with: {}. {ASK}", shown(method));
        Self::new(Kind::FactorChanged, to, "How you sign in was changed", text, now + WORTH_READING)
    }

    pub(crate) fn factor_removed(to: &Identifier, method: Method, now: DateTime<Utc>) -> Self {
        let text = format!("You no longer sign in with: {}. {ASK}", shown(method));
        Self::new(Kind::FactorChanged, to, "How you sign in was changed", text, now + WORTH_READING)
    }

    pub(crate) fn factors_reset(to: &Identifier, taken: &Taken, now: DateTime<Utc>) -> Self {
        let gone = gone(taken);
        let text = format!(
            "Support has signed you out everywhere, and you log in with your password alone until you add something. {gone}{ASK}"
        );
        Self::new(Kind::FactorChanged, to, "How you sign in was changed", text, now + WORTH_READING)
    }

    pub(crate) fn recovery_code_used(to: &Identifier, left: i64, now: DateTime<Utc>) -> Self {
        let text = format!("One of your recovery codes was used; {left} are left. {ASK}");
        Self::new(Kind::RecoveryCodeUsed, to, "A recovery code was used", text, now + WORTH_READING)
    }

    pub(crate) fn pin_set(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!("You have a new transaction PIN. {ASK}");
        Self::new(Kind::PinChanged, to, "Your transaction PIN was set", text, now + WORTH_READING)
    }

    pub(crate) fn pin_locked(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = format!(
            "Your transaction PIN is locked after too many wrong ones. Set another one with your password. {ASK}"
        );
        Self::new(Kind::PinLocked, to, "Your transaction PIN is locked", text, now + WORTH_READING)
    }

    pub(crate) fn passkey_disabled(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = "Somebody may have a copy of a passkey of yours: it was used as if there were two of it, and signs nobody in any \
                    more. Sign in with another one or a recovery code, remove it, and tell support."
            .to_owned();
        Self::new(Kind::PasskeyDisabled, to, "A passkey of yours was disabled", text, now + WORTH_READING)
    }

    pub(crate) fn account_deactivated(to: &Identifier, taken: &Taken, now: DateTime<Utc>) -> Self {
        let gone = gone(taken);
        let text = format!("Your account was deactivated. {gone}Support can open it again for you. {ASK}");
        Self::new(Kind::AccountDeactivated, to, "Your account was deactivated", text, now + WORTH_READING)
    }

    pub(crate) fn account_suspended(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = "Your account was suspended, and you were signed out everywhere. What is in it stays. Support can tell you more."
            .to_owned();
        Self::new(Kind::AccountSuspended, to, "Your account was suspended", text, now + WORTH_READING)
    }

    pub(crate) fn account_unsuspended(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = "Your account is no longer suspended. You can sign in again.".to_owned();
        Self::new(Kind::AccountSuspended, to, "Your account is open again", text, now + WORTH_READING)
    }

    pub(crate) fn account_reactivated(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text =
            format!("Support has opened your account again. API keys and phones are to be added anew. {ASK}");
        Self::new(Kind::AccountReactivated, to, "Your account was opened again", text, now + WORTH_READING)
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

    pub(crate) fn account_erased(to: &Identifier, now: DateTime<Utc>) -> Self {
        let text = "Your account and what was known of you were erased; nobody can open it again. What the law has us keep stays \
                    encrypted until it need not be kept any more, and is deleted then. If this was not you, tell support at once."
            .to_owned();
        Self::new(Kind::AccountErased, to, "Your account was erased", text, now + WORTH_READING)
    }
}
