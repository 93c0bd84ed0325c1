//! `user-events`, published by identity-service, keyed by user.

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
    pub email: String,
    /// E.164.
    pub phone_number: String,
    pub first_name: String,
    pub last_name: String,
    /// 0 (nothing verified) to 3.
    pub kyc_tier: i16,
    pub roles: Vec<String>,
    pub status: String,
    pub created_at: DateTime<Utc>,
}

events! { Topic::User, UserSnapshot, "user", user_id:
    /// Somebody registered.
    UserRegistered = "identity.user.registered";
    /// A person reached a KYC tier.
    UserVerified = "identity.user.verified";
    /// Profile, roles or status changed.
    UserUpdated = "identity.user.updated";
}
