//! Accounts as the rules see them.

use std::{collections::HashMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};
use common_utils::{
    id_type,
    ids::{UserId, WalletId},
    money::Currency,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

id_type!(/// An account of the ledger. A wallet's carries the wallet's id.
    AccountId);

impl From<WalletId> for AccountId {
    fn from(wallet: WalletId) -> Self {
        wallet.uuid().into()
    }
}

/// Whether an account takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountStatus {
    Active,
    /// One direction, or both, is shut until the account is active again.
    Frozen(Freeze),
    /// Nothing goes in or out, for ever. It holds nothing.
    Closed,
}

/// What a freeze shuts. Money that is set aside for a capture does not go out either; a release only gives it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Freeze {
    /// Nothing comes in.
    In,
    /// Nothing goes out, and nothing is set aside.
    Out,
    #[default]
    Both,
}

impl AccountStatus {
    const ALL: [Self; 5] = [
        Self::Active,
        Self::Frozen(Freeze::In),
        Self::Frozen(Freeze::Out),
        Self::Frozen(Freeze::Both),
        Self::Closed,
    ];

    /// As it is kept.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen(Freeze::In) => "frozen_in",
            Self::Frozen(Freeze::Out) => "frozen_out",
            Self::Frozen(Freeze::Both) => "frozen",
            Self::Closed => "closed",
        }
    }

    /// Which direction is shut, if one is.
    pub fn freeze(self) -> Option<Freeze> {
        match self {
            Self::Frozen(freeze) => Some(freeze),
            Self::Active | Self::Closed => None,
        }
    }
}

/// A status as clients read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = AccountStatus)]
pub enum PublicStatus {
    Active,
    Frozen,
    Closed,
}

impl PublicStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}

impl From<AccountStatus> for PublicStatus {
    fn from(status: AccountStatus) -> Self {
        match status {
            AccountStatus::Active => Self::Active,
            AccountStatus::Frozen(_) => Self::Frozen,
            AccountStatus::Closed => Self::Closed,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of an account")]
pub struct UnknownStatus(String);

impl FromStr for AccountStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|status| status.name() == name);
        known.ok_or_else(|| UnknownStatus(name.to_owned()))
    }
}

/// An account of the platform itself, known by its code; there is one in each currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum PlatformAccount {
    /// What a provider's bank holds for us, written `provider_settlement:<provider>`.
    ProviderSettlement(String),
    /// Fees that we earned.
    Fee,
    /// Taxes that we owe.
    Tax,
    /// Money whose owner is not known yet.
    Suspense,
    /// What belongs to the platform's owners.
    Equity,
    /// Between two currencies: what was paid in one waits here for what was got in the other.
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be fee, tax, suspense, equity, position or provider_settlement:<provider>")]
pub struct UnknownPlatformAccount;

impl PlatformAccount {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ProviderSettlement(_) => "provider_settlement",
            Self::Fee => "fee",
            Self::Tax => "tax",
            Self::Suspense => "suspense",
            Self::Equity => "equity",
            Self::Position => "position",
        }
    }

    /// Settlement, suspense, equity and position stand for money that is elsewhere or still to be explained, so they go
    /// below zero: a bank that holds NGN 100 for us shows as −100. Fee and tax hold what was taken, and giving back more
    /// than was taken is a mistake.
    pub fn may_overdraw(&self) -> bool {
        match self {
            Self::ProviderSettlement(_) | Self::Suspense | Self::Equity | Self::Position => true,
            Self::Fee | Self::Tax => false,
        }
    }
}

impl fmt::Display for PlatformAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ProviderSettlement(provider) => write!(f, "provider_settlement:{provider}"),
            simple => f.write_str(simple.kind()),
        }
    }
}

impl FromStr for PlatformAccount {
    type Err = UnknownPlatformAccount;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        match code {
            "fee" => Ok(Self::Fee),
            "tax" => Ok(Self::Tax),
            "suspense" => Ok(Self::Suspense),
            "equity" => Ok(Self::Equity),
            "position" => Ok(Self::Position),
            _ => code
                .strip_prefix("provider_settlement:")
                .filter(|provider| is_provider_name(provider))
                .map(|provider| Self::ProviderSettlement(provider.to_owned()))
                .ok_or(UnknownPlatformAccount),
        }
    }
}

fn is_provider_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl TryFrom<String> for PlatformAccount {
    type Error = UnknownPlatformAccount;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        code.parse()
    }
}

/// What an account holds, and how far its history goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Credits less debits.
    pub posted: i64,
    /// The part of it that is set aside.
    pub held: i64,
    /// The number of the last entry.
    pub entries: i64,
    /// When it last changed, or was opened. Nothing that happens to it is noted as earlier.
    pub updated_at: DateTime<Utc>,
}

/// How far a balance may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// What is available never falls below this; None lets it fall without end.
    pub floor: Option<i64>,
    /// What is posted never rises above this.
    pub ceiling: Option<i64>,
    /// What comes in never takes what is posted above this. It may be lowered below the balance, which stays; and what is
    /// given back, or corrected by the platform, goes past it.
    pub intake_ceiling: Option<i64>,
}

impl Bounds {
    /// What is open to everybody: nothing below zero.
    pub const ZERO: Self = Self { floor: Some(0), ceiling: None, intake_ceiling: None };
    pub const NONE: Self = Self { floor: None, ceiling: None, intake_ceiling: None };
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Whose wallet it is; None for an account of the platform.
    pub owner: Option<UserId>,
    pub currency: Currency,
    pub status: AccountStatus,
    pub bounds: Bounds,
    pub standing: Standing,
}

impl Account {
    /// The wallet, if it is a customer's.
    pub fn wallet(&self) -> Option<WalletId> {
        self.owner.map(|_| self.id.uuid().into())
    }
}

/// Ids of the platform's accounts, by code and currency.
pub type PlatformIds = HashMap<(PlatformAccount, Currency), AccountId>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_back_as_written() {
        for status in AccountStatus::ALL {
            assert_eq!(status.name().parse::<AccountStatus>().unwrap(), status);
        }
        assert!("thawed".parse::<AccountStatus>().is_err());
    }

    #[test]
    fn codes_of_the_platforms_accounts_are_read_back_as_written() {
        for code in ["fee", "tax", "suspense", "equity", "position", "provider_settlement:providus-dcs"] {
            assert_eq!(code.parse::<PlatformAccount>().unwrap().to_string(), code);
        }
        for wrong in
            ["", "fees", "provider_settlement", "provider_settlement:", "provider_settlement:A b", "Fee"]
        {
            assert_eq!(wrong.parse::<PlatformAccount>(), Err(UnknownPlatformAccount), "{wrong:?}");
        }
    }
}
