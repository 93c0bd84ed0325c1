//! Roles, and what each of them is for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everybody who is registered.
    User,
    /// Helps customers: tickets and the support view.
    Support,
    /// Watches: audit log, freezing of wallets, reviews of who is to be verified.
    Compliance,
    /// Money operations. Holds no permission yet.
    Finance,
    /// Runs the platform.
    Admin,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::User, Self::Support, Self::Compliance, Self::Finance, Self::Admin];

    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Support => "support",
            Self::Compliance => "compliance",
            Self::Finance => "finance",
            Self::Admin => "admin",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be one of user, support, compliance, finance, admin")]
pub struct UnknownRole;

impl std::str::FromStr for Role {
    type Err = UnknownRole;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or(UnknownRole)
    }
}
