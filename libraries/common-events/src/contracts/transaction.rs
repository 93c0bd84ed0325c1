//! `transaction-events`, published by transaction-service, keyed by transaction.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Amount, events};
use crate::Topic;

/// A movement of money as its parties see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransactionSnapshot {
    pub transaction_id: Uuid,
    /// `transfer`, `deposit`, …
    #[serde(rename = "type")]
    #[schemars(example = &"transfer")]
    pub kind: String,
    /// `initiated`, `completed` or `failed`.
    #[schemars(example = &"completed")]
    pub status: String,
    pub amount: Amount,
    pub fee: Amount,
    pub from_wallet_id: Option<Uuid>,
    pub to_wallet_id: Option<Uuid>,
    pub from_user_id: Option<Uuid>,
    pub to_user_id: Option<Uuid>,
    #[schemars(example = &"Rent for May")]
    pub narration: Option<String>,
    #[schemars(example = &"TRF-0199F3A26C1D")]
    pub reference: String,
    /// The stable code of the refusal, when it failed.
    pub failure: Option<String>,
    pub created_at: DateTime<Utc>,
    pub completed_at: Option<DateTime<Utc>>,
}

events! { Topic::Transaction, TransactionSnapshot, "transaction", transaction_id:
    /// Accepted, and on its way to the ledger.
    TransactionInitiated = "transaction.initiated";
    /// The money has moved.
    TransactionCompleted = "transaction.completed";
    /// Refused; no money has moved.
    TransactionFailed = "transaction.failed";
}
