//! Whether an account is open, and who has shut it: an operator (`suspended`), or its owner (`closed`).

use std::str::FromStr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserStatus {
    Active,
    Suspended,
    Closed,
}

#[derive(Debug, thiserror::Error)]
#[error("{0} is no status of a user")]
pub(crate) struct UnknownStatus(String);

impl UserStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for UserStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        [Self::Active, Self::Suspended, Self::Closed]
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}
