//! Why a call about a wallet does not succeed.

use common_db::{constraint, idempotency::KeyError};
use common_events::{HandlerError, outbox::OutboxError};
use common_utils::{http::Problem, money::Currency};

use super::entity::MOST_WALLETS;
use crate::ledger::LedgerError;

#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    /// There is none, or it is somebody else's: the caller is told the same.
    #[error("there is no such wallet")]
    NotFound,
    #[error("wallets are not opened in this currency")]
    UnsupportedCurrency,
    #[error("a person may have {MOST_WALLETS} wallets")]
    LimitExceeded,
    #[error("the wallet is closed")]
    Closed,
    #[error("the wallet holds money, or money waits for it")]
    NotEmpty,
    #[error("nobody decides about their own wallet")]
    OwnWallet,
    #[error("the wallet's balance is outside of these bounds")]
    OutsideBounds,
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Ledger(LedgerError),
    #[error("an answer cannot be kept: {0}")]
    Encoding(#[from] serde_json::Error),
}

impl WalletError {
    /// A refusal that its idempotency key remembers, by its code.
    pub(super) fn remembered(&self) -> Option<&'static str> {
        match self {
            Self::UnsupportedCurrency => Some("unsupported_currency"),
            Self::LimitExceeded => Some("limit_exceeded"),
            _ => None,
        }
    }

    pub(super) fn of_code(code: &str) -> Option<Self> {
        [Self::UnsupportedCurrency, Self::LimitExceeded]
            .into_iter()
            .find(|refusal| refusal.remembered() == Some(code))
    }
}

impl From<sqlx::Error> for WalletError {
    fn from(error: sqlx::Error) -> Self {
        match constraint::violated(&error) {
            Some("wallets_place_within") => Self::LimitExceeded,
            _ => Self::Ledger(error.into()),
        }
    }
}

impl From<OutboxError> for WalletError {
    fn from(error: OutboxError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<LedgerError> for WalletError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<WalletError> for Problem {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::NotFound => Self::not_found("wallet"),
            WalletError::UnsupportedCurrency => Self::unprocessable(
                "unsupported_currency",
                format!(
                    "No wallets are opened in this currency. Take one that is open, such as {}.",
                    Currency::NGN
                ),
            ),
            WalletError::LimitExceeded => Self::unprocessable(
                "limit_exceeded",
                format!("You have {MOST_WALLETS} wallets, and that is as many as a person may have."),
            ),
            WalletError::Closed => Self::unprocessable("wallet_closed", "The wallet is closed for good."),
            WalletError::OwnWallet => Self::unprocessable(
                "own_wallet",
                "The wallet is that of who ordered it; somebody else decides.",
            ),
            WalletError::NotEmpty => Self::unprocessable(
                "wallet_not_empty",
                "Only a wallet that holds nothing, nor has anything on hold, and for which no deposit waits, can be closed.",
            ),
            WalletError::OutsideBounds => Self::unprocessable(
                "wallet_outside_bounds",
                "What is available in the wallet is less than the floor, or what is posted more than the ceiling.",
            ),
            WalletError::Key(error) => error.into(),
            WalletError::Ledger(error) => error.into(),
            WalletError::Encoding(error) => Self::internal(error),
        }
    }
}

impl From<WalletError> for HandlerError {
    fn from(error: WalletError) -> Self {
        match error {
            WalletError::Ledger(error) => error.into(),
            other => Self::Failed(other.into()),
        }
    }
}
