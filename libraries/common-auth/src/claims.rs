//! What an access token says.

use common_utils::ids::UserId;
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::{
    Role, Scopes,
    proof::{Assurance, Method, known_assurance, known_methods},
};

pub const AUDIENCE: &str = "wallet-api";
/// Of tokens of machines. A service that knows no scopes knows no such tokens either, and refuses them.
pub const MACHINE_AUDIENCE: &str = "wallet-machines";
pub const DEFAULT_ISSUER: &str = "wallet-platform";

/// The claims of an access token (RFC 7519), with the session, the roles and the KYC tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    /// The session that the token belongs to; of a machine, the secret that it was got with.
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
    /// The API key of a machine, which acts for `sub`. It has no roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Uuid>,
    /// What the machine may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Scopes>,
    /// By which methods the session's owner proved who they are (RFC 8176). Those that this release does not know are passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known_methods")]
    pub amr: Vec<Method>,
    /// How much that is worth. The lowest in tokens of before November 2026.
    #[serde(default, deserialize_with = "known_assurance")]
    pub acr: Assurance,
    /// When they last did, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// When they last told their transaction PIN, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin_time: Option<i64>,
    /// Since when the device is bound that the session is on, in Unix seconds; none where it is on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev_at: Option<i64>,
    /// What else than the password they could have proved it by when the token was signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known_methods")]
    pub factors: Vec<Method>,
}

impl Claims {
    /// Whether a machine holds the token, and not the person.
    pub fn is_machine(&self) -> bool {
        self.aud == MACHINE_AUDIENCE
    }

    /// Whether the audience says the same as the rest: a machine has a key and scopes and no roles, a person has no key.
    pub(crate) fn agree(&self) -> bool {
        if self.is_machine() {
            self.client_id.is_some() && self.scope.is_some() && self.roles.is_empty()
        } else {
            self.client_id.is_none() && self.scope.is_none()
        }
    }

    /// A token of before November 2026 tells no more than when it was signed.
    pub fn proved_at(&self) -> i64 {
        self.auth_time.unwrap_or(self.iat)
    }

    /// Whether the password alone is not enough from them.
    pub fn has_second_factor(&self) -> bool {
        self.factors.iter().any(|method| method.is_second_factor())
    }
}

fn known_roles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Role>, D::Error> {
    let names = Vec::<String>::deserialize(deserializer)?;
    Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
}
