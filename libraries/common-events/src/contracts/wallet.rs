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
    #[schemars(example = &"NGN")]
    pub currency: String,
    #[schemars(example = &"Rent")]
    pub name: Option<String>,
    /// `active`, `frozen` or `closed`.
    #[schemars(example = &"active")]
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
    #[schemars(example = &"NGN")]
    pub currency: String,
    /// What is available never falls below it, in minor units. Zero unless somebody sets it; below zero it is a credit.
    #[schemars(example = 0)]
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
    #[schemars(example = &"9977581234")]
    pub account_number: String,
    #[schemars(example = &"Ada Obi")]
    pub account_name: String,
    #[schemars(example = &"Providus Bank")]
    pub bank_name: String,
    #[schemars(example = &"101")]
    pub bank_code: String,
    #[schemars(example = &"providus")]
    pub provider: String,
    pub issued_at: DateTime<Utc>,
}

events! { Topic::Wallet, VirtualAccountSnapshot, "wallet", wallet_id:
    /// A provider issued an account number for a wallet.
    VirtualAccountIssued = "wallet.virtual_account.issued";
}

/// Money that came in at a bank and that its wallet did not take. The platform keeps it aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParkedDepositSnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    /// The posting that put it aside. It is not the transaction by which it may come into the wallet.
    pub transaction_id: Uuid,
    pub amount: Amount,
    /// `single_deposit_exceeded` and `ceiling_exceeded`: it is above what the tier of the wallet's owner allows, and is credited once it
    /// fits. `wallet_frozen`, `wallet_closed`.
    #[schemars(example = &"single_deposit_exceeded")]
    pub reason: String,
    #[schemars(example = &"providus")]
    pub provider: String,
    pub provider_reference: String,
    pub posted_at: DateTime<Utc>,
}

events! { Topic::Wallet, ParkedDepositSnapshot, "wallet", wallet_id:
    /// Money came in at a bank and is kept aside, because its wallet may not take it. Where it comes into the wallet later,
    /// `wallet.credited` tells so, with the same reference of the provider.
    DepositParked = "wallet.deposit.parked";
}

/// One entry of a customer's account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntrySnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    pub entry_id: Uuid,
    /// Numbered per account, without gaps.
    #[schemars(example = 7)]
    pub sequence: i64,
    /// The posting, which is also the transaction.
    pub transaction_id: Uuid,
    /// What kind of movement it was: `transfer`, `deposit`, …
    #[schemars(example = &"transfer")]
    pub transaction_type: String,
    pub amount: Amount,
    /// Of the account, after this entry, in minor units.
    #[schemars(example = 150_000)]
    pub balance_after: i64,
    #[schemars(example = &"Rent for May")]
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

/// Money set aside on a wallet: still its owner's, and not available. A hold ends once: captured, released or expired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldSnapshot {
    pub wallet_id: Uuid,
    pub user_id: Uuid,
    /// The posting that placed it.
    pub hold_id: Uuid,
    /// `held`, `captured`, `released` or `expired`.
    #[schemars(example = &"held")]
    pub status: String,
    /// What was set aside.
    pub amount: Amount,
    /// What of it was taken so far, in minor units.
    #[schemars(example = 50_000)]
    pub captured: i64,
    /// What it still keeps from being available, in minor units; zero once it has ended.
    #[schemars(example = 100_000)]
    pub remaining: i64,
    /// The posting that changed it; null where its time was over.
    pub transaction_id: Option<Uuid>,
    pub expires_at: DateTime<Utc>,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::Wallet, HoldSnapshot, "wallet", wallet_id:
    /// Money was set aside on a wallet.
    WalletHoldPlaced = "wallet.hold.placed";
    /// Money that was set aside was taken, in whole or in part; `wallet.debited` tells of the money itself.
    WalletHoldCaptured = "wallet.hold.captured";
    /// Money that was set aside is available again.
    WalletHoldReleased = "wallet.hold.released";
    /// The time of a hold was over: what was left of it is available again.
    WalletHoldExpired = "wallet.hold.expired";
}
