//! `user-events`, published by identity-service, keyed by user; what is about an address and nobody's account, by the hash of that.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::events;
use crate::Topic;

/// A person as other services may know them. Identity numbers and documents never travel in an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserSnapshot {
    pub user_id: Uuid,
    #[schemars(example = &"ada@example.com")]
    pub email: String,
    /// E.164.
    #[schemars(example = &"+2348030000001")]
    pub phone_number: String,
    /// Whether they have proved that they read what is sent to the address. Not in events of before November 2026.
    #[schemars(example = true)]
    pub email_verified: Option<bool>,
    /// The same of the phone number.
    #[schemars(example = true)]
    pub phone_verified: Option<bool>,
    #[schemars(example = &"Ada")]
    pub first_name: String,
    #[schemars(example = &"Obi")]
    pub last_name: String,
    /// 0 (nothing verified) to 3.
    #[schemars(example = 1)]
    pub kyc_tier: i16,
    #[schemars(example = ["user"])]
    pub roles: Vec<String>,
    #[schemars(example = &"active")]
    pub status: String,
    pub created_at: DateTime<Utc>,
}

events! { Topic::User, UserSnapshot, "user", user_id:
    /// Somebody registered.
    UserRegistered = "identity.user.registered";
    /// A bank verification number is this person's from now on. What it changed of the tier is told by `identity.user.tier_changed`.
    UserVerified = "identity.user.verified";
    /// Profile, contacts, roles, tier or status changed.
    UserUpdated = "identity.user.updated";
    /// A person has closed their account. `identity.user.updated` stands beside it, with the status.
    UserDeactivated = "identity.user.deactivated";
}

/// That a person had themselves erased. Who they were is in no event from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErasureSnapshot {
    pub user_id: Uuid,
    pub erased_at: DateTime<Utc>,
    /// Until then identity-service keeps, encrypted, what the law has it keep.
    pub evidence_until: DateTime<Utc>,
}

events! { Topic::User, ErasureSnapshot, "user", user_id:
    /// A person was erased: whoever keeps anything by which they are known beside their id forgets it, unless the law has it kept.
    /// `identity.user.updated` stands beside it, with pseudonyms.
    UserErased = "identity.user.erased";
}

/// A KYC tier, before and now. What the evidence says stays with identity-service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TierChangeSnapshot {
    pub user_id: Uuid,
    /// 0 (nothing verified) to 3.
    #[schemars(example = 0)]
    pub old_tier: i16,
    /// 0 (nothing verified) to 3.
    #[schemars(example = 1)]
    pub new_tier: i16,
    /// What it changed by: `bank_verification_number`, `kyc_case` (an application that was approved), or `expired` (what was verified
    /// before is too old).
    #[schemars(example = &"bank_verification_number")]
    pub evidence: String,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::User, TierChangeSnapshot, "user", user_id:
    /// The KYC tier of a person is another one from now on. It stands beside `identity.user.verified` where a bank verification number
    /// was verified, and beside `identity.user.updated` otherwise; either tells who they are.
    UserTierChanged = "identity.user.tier_changed";
}

/// That a password is another one. Nothing about the password itself leaves identity-service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordChangeSnapshot {
    pub user_id: Uuid,
    /// `change` by who knew the one before, `reset` by who had forgotten it.
    #[schemars(example = &"change")]
    pub reason: String,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::User, PasswordChangeSnapshot, "user", user_id:
    /// A person has another password; their other sessions have ended.
    UserPasswordChanged = "identity.user.password_changed";
}

/// A session that was ended before its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionEndSnapshot {
    pub user_id: Uuid,
    pub session_id: Uuid,
    /// `logout`, `ended` (by its owner, from another session), `reuse` (of what renews it), `password_changed`, `deactivated`, and more of the kind.
    #[schemars(example = &"logout")]
    pub reason: String,
    pub ended_at: DateTime<Utc>,
    /// What was signed for the session has to be refused until then. Afterwards none of it is in force, by itself.
    pub refused_until: DateTime<Utc>,
}

events! { Topic::User, SessionEndSnapshot, "user", user_id:
    /// A session ended before its time. What was signed for it is refused from now on.
    SessionEnded = "identity.session.ended";
}

/// What somebody proves who they are with beside the password. Nothing about what it holds leaves identity-service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactorSnapshot {
    pub user_id: Uuid,
    /// `totp` (an authenticator app), `passkey`, `device`, and more of the kind.
    #[schemars(example = &"totp")]
    pub factor: String,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::User, FactorSnapshot, "user", user_id:
    /// A person is asked for another factor from now on, beside the password or in its place.
    UserFactorAdded = "identity.user.factor_added";
    /// A person is no longer asked for a factor.
    UserFactorRemoved = "identity.user.factor_removed";
}

/// That a transaction PIN approves nothing any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PinLockSnapshot {
    pub user_id: Uuid,
    pub locked_at: DateTime<Utc>,
}

events! { Topic::User, PinLockSnapshot, "user", user_id:
    /// Too many wrong transaction PINs in a row: it is locked until its owner sets another one.
    UserPinLocked = "identity.user.pin_locked";
}

/// Sign-ins that are held back because too many have failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UserLockSnapshot {
    pub user_id: Uuid,
    /// Failed sign-ins in a row.
    #[schemars(example = 20)]
    pub failures: i32,
    pub locked_at: DateTime<Utc>,
    /// From addresses where the person has not signed in before.
    pub locked_until: DateTime<Utc>,
}

events! { Topic::User, UserLockSnapshot, "user", user_id:
    /// Somebody tries to sign in as this person: for a while nobody does so from an address where the person has not been before.
    UserLocked = "identity.user.locked";
}

/// An address from which sign-ins at many accounts have failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceBlockedSnapshot {
    /// A keyed hash of the address, or of its network where it is of IPv6: the same for the same address as long as the deployment
    /// keeps its key.
    #[schemars(example = &"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef")]
    pub source_hash: String,
    /// Failed sign-ins without an hour between.
    #[schemars(example = 50)]
    pub failures: i32,
    /// E-mail addresses and phone numbers at which they were, whether anybody has them or not.
    #[schemars(example = 48)]
    pub accounts: i32,
    pub blocked_at: DateTime<Utc>,
    /// At accounts that have not signed in from there before.
    pub blocked_until: DateTime<Utc>,
}

events! { Topic::User, SourceBlockedSnapshot, "source", source_hash:
    /// Somebody tries passwords at many accounts from one address, which waits from now on.
    SourceBlocked = "identity.security.source_blocked";
}

/// What a machine of a person may do for them. Neither the name that they gave it nor anything of its secret leaves identity-service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeySnapshot {
    /// For whom the machine acts.
    pub user_id: Uuid,
    /// The client of its tokens.
    pub api_key_id: Uuid,
    #[schemars(example = ["wallets:read", "transactions:read"])]
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::User, ApiKeySnapshot, "user", user_id:
    /// A person made an API key.
    ApiKeyCreated = "identity.api_key.created";
    /// An API key has another secret; the last one ends after a while.
    ApiKeyRotated = "identity.api_key.rotated";
    /// An API key was revoked. What was got with it is refused: `identity.session.ended` says so for each of its secrets.
    ApiKeyRevoked = "identity.api_key.revoked";
}

/// Somebody's application for a KYC tier. What they told and sent stays with identity-service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KycCaseSnapshot {
    pub user_id: Uuid,
    pub case_id: Uuid,
    /// ISO 3166: whose rules hold.
    #[schemars(example = &"NG")]
    pub country: String,
    /// The tier that is applied for, 1 to 3.
    #[schemars(example = 2)]
    pub tier: i16,
    /// `submitted`, `in_review`, `more_needed`, `approved`, `rejected`, `expired`.
    #[schemars(example = &"approved")]
    pub status: String,
    /// What was done: `open`, `resubmit`, `refer` (to reviewers), `ask` (the person for more), `approve`, `reject`, `expire`. Of several
    /// reviewers who have to approve, each but the last leaves it `in_review`.
    #[schemars(example = &"approve")]
    pub action: String,
    /// Why, for example `requirements_met`, `partial_match`, `document_unreadable`.
    #[schemars(example = &"requirements_met")]
    pub reason: String,
    /// How often it has come to the reviewers.
    #[schemars(example = 1)]
    pub review_round: i32,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::User, KycCaseSnapshot, "user", user_id:
    /// Somebody applied for a KYC tier.
    KycCaseSubmitted = "identity.kyc.case_submitted";
    /// An application stands elsewhere, and has not ended: with the reviewers, or with the person, who has to send more.
    KycCaseUpdated = "identity.kyc.case_updated";
    /// An application has ended: approved, rejected, or not answered in time. A tier that changed is told by `identity.user.tier_changed`.
    KycCaseDecided = "identity.kyc.case_decided";
}

/// A look of a member of staff at what somebody told or sent to be verified. Who looked is the event's actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KycEvidenceViewSnapshot {
    /// Whose evidence it is.
    pub user_id: Uuid,
    pub case_id: Uuid,
    /// The document; null for what was told in words.
    pub document_id: Option<Uuid>,
    pub viewed_at: DateTime<Utc>,
}

events! { Topic::User, KycEvidenceViewSnapshot, "user", user_id:
    /// A reviewer looked at the evidence of an application.
    KycEvidenceViewed = "identity.kyc.evidence_viewed";
}
