//! Accounts as the rules see them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use common_utils::{
    id_type,
    ids::{UserId, WalletId},
    money::Currency,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::posting::{AccountRef, PlatformAccount};

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

impl std::str::FromStr for AccountStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Active, Self::Frozen, Self::Closed]
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or_else(|| UnknownStatus(name.to_owned()))
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
