//! What an access token says.

use common_utils::ids::UserId;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::Role;

pub const AUDIENCE: &str = "wallet-api";
pub const DEFAULT_ISSUER: &str = "wallet-platform";

/// The claims of an access token (RFC 7519), with the session, the roles and the KYC tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    /// The session that the token belongs to.
    pub sid: Uuid,
    /// Those that this release knows. Others are passed over: a newer release may give roles that mean nothing here.
    #[serde(deserialize_with = "known_roles")]
    pub roles: Vec<Role>,
    pub tier: i16,
    /// Unix seconds.
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
}

fn known_roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}
