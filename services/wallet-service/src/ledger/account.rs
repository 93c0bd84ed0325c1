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

use super::posting::AccountRef;

id_type!(/// An account of the ledger. A wallet's carries the wallet's id.
    AccountId);

impl From<WalletId> for AccountId {
    fn from(wallet: WalletId) -> Self {
        wallet.uuid().into()
    }
}

/// Whether an account takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    Active,
    /// Nothing goes in or out, until it is active again.
    Frozen,
    /// Nothing goes in or out, for ever.
    Closed,
}

impl AccountStatus {
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of an account")]
pub struct UnknownStatus(String);

impl FromStr for AccountStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::Frozen, Self::Closed]
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| UnknownStatus(name.to_owned()))
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be fee, tax, suspense, equity or provider_settlement:<provider>")]
pub struct UnknownPlatformAccount;

impl PlatformAccount {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ProviderSettlement(_) => "provider_settlement",
            Self::Fee => "fee",
            Self::Tax => "tax",
            Self::Suspense => "suspense",
            Self::Equity => "equity",
        }
    }

    /// Settlement, suspense and equity stand for money that is elsewhere or still to be explained, so they go below
    /// zero: a bank that holds NGN 100 for us shows as −100. Fee and tax hold what was taken, and giving back more
    /// than was taken is a mistake.
    pub fn may_overdraw(&self) -> bool {
        match self {
            Self::ProviderSettlement(_) | Self::Suspense | Self::Equity => true,
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
    /// When the last entry was written, or the account opened.
    pub updated_at: DateTime<Utc>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    /// Whose wallet it is; None for an account of the platform.
    pub owner: Option<UserId>,
    pub currency: Currency,
    pub status: AccountStatus,
    pub may_overdraw: bool,
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

/// The accounts that a list of postings touches, as they stand between two of them.
#[derive(Debug, Clone, Default)]
pub struct Book {
    accounts: HashMap<AccountId, Account>,
    platform: PlatformIds,
}

impl Book {
    pub fn new(accounts: impl IntoIterator<Item = Account>, platform: PlatformIds) -> Self {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Self { accounts, platform }
    }

    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    /// The account that a leg in `currency` means. A wallet's reference never leads to an account of the platform.
    pub fn resolve(&self, reference: &AccountRef, currency: Currency) -> Option<&Account> {
        match reference {
            AccountRef::Wallet(id) => self.account((*id).into()).filter(|account| account.owner.is_some()),
            AccountRef::Platform(code) => {
                self.platform.get(&(code.clone(), currency)).and_then(|id| self.account(*id))
            }
        }
    }

    pub(super) fn standing_mut(&mut self, id: AccountId) -> Option<&mut Standing> {
        self.accounts.get_mut(&id).map(|account| &mut account.standing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_platforms_accounts_are_read_back_as_written() {
        for code in ["fee", "tax", "suspense", "equity", "provider_settlement:providus-dcs"] {
            assert_eq!(code.parse::<PlatformAccount>().unwrap().to_string(), code);
        }
        for wrong in
            ["", "fees", "provider_settlement", "provider_settlement:", "provider_settlement:A b", "Fee"]
        {
            assert_eq!(wrong.parse::<PlatformAccount>(), Err(UnknownPlatformAccount), "{wrong:?}");
        }
    }
}
