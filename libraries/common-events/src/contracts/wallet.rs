//! `wallet-events`, published by wallet-service, keyed by wallet.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amount, events};
use crate::Topic;

/// A wallet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletSnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    pub name: Option<String>,
    /// `active`, `frozen` or `closed`.
    pub status: String,
    /// While it is frozen: which direction is shut, `in`, `out` or `both`.
    pub freeze: Option<String>,
    /// Why the status changed, where somebody gave a reason.
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

events! { Topic::Wallet, WalletSnapshot, "wallet", wallet_id:
    /// A wallet was opened.
    WalletCreated = "wallet.created";
    /// Money can no longer enter the wallet, or leave it, or both. A wallet that was frozen may be frozen otherwise.
    WalletFrozen = "wallet.frozen";
    /// A frozen wallet works again.
    WalletUnfrozen = "wallet.unfrozen";
    /// The wallet holds nothing, and takes no part any more, for ever.
    WalletClosed = "wallet.closed";
}

/// How far the balance of a wallet may go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WalletBoundsSnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    /// ISO 4217.
    pub currency: String,
    /// What is available never falls below it, in minor units. Zero unless somebody sets it; below zero it is a credit.
    pub floor: i64,
    /// What is posted never rises above it, in minor units; null where there is no such bound.
    pub ceiling: Option<i64>,
    /// Why they were changed.
    pub reason: String,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::Wallet, WalletBoundsSnapshot, "wallet", wallet_id:
    /// The bounds of a wallet's balance are others from now on.
    WalletBoundsChanged = "wallet.bounds_changed";
}

/// An account number at a bank that leads to a wallet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccountSnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    pub account_number: String,
    pub account_name: String,
    pub bank_name: String,
    pub bank_code: String,
    pub provider: String,
    pub issued_at: DateTime<Utc>,
}

events! { Topic::Wallet, VirtualAccountSnapshot, "wallet", wallet_id:
    /// A provider issued an account number for a wallet.
    VirtualAccountIssued = "wallet.virtual_account.issued";
}

/// One entry of a customer's account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntrySnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    pub entry_id: Uuid,
    /// Numbered per account, without gaps.
    pub sequence: i64,
    /// The posting, which is also the transaction.
    pub transaction_id: Uuid,
    /// What kind of movement it was: `transfer`, `deposit`, …
    pub transaction_type: String,
    pub amount: Amount,
    /// Of the account, after this entry, in minor units.
    pub balance_after: i64,
    pub description: String,
    /// The provider's reference, where money came from or went to a bank.
    pub provider_reference: Option<String>,
    /// Who sent money that came in from a bank.
    pub counterparty_name: Option<String>,
    pub posted_at: DateTime<Utc>,
}

events! { Topic::Wallet, EntrySnapshot, "wallet", wallet_id:
    /// Money came in.
    WalletCredited = "wallet.credited";
    /// Money went out.
    WalletDebited = "wallet.debited";
}
