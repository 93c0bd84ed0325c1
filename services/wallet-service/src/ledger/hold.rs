//! A hold: money set aside. It is still the account's, and not available. It has one final state.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use common_utils::ids::TransactionId;

use super::account::AccountId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HoldStatus {
    Held,
    Captured,
    Released,
    Expired,
}

impl HoldStatus {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no status of a hold")]
pub(super) struct UnknownHoldStatus(String);

impl FromStr for HoldStatus {
    type Err = UnknownHoldStatus;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let mut all = [Self::Held, Self::Captured, Self::Released, Self::Expired].into_iter();
        all.find(|status| status.name() == name).ok_or_else(|| UnknownHoldStatus(name.to_owned()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hold {
    /// That of the posting that placed it.
    pub id: TransactionId,
    pub account: AccountId,
    pub amount: i64,
    pub captured: i64,
    pub status: HoldStatus,
    /// From this moment on it is captured no more, whether or not somebody has marked it as expired.
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub closed_at: Option<DateTime<Utc>>,
}

impl Hold {
    /// What it still keeps from being available, if it is open.
    pub(super) fn left(&self) -> i64 {
        self.amount.saturating_sub(self.captured)
    }

    pub(super) fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.status == HoldStatus::Held && self.expires_at <= now
    }

    #[must_use]
    pub(super) fn closed(self, status: HoldStatus, at: DateTime<Utc>) -> Self {
        Self { status, closed_at: Some(at), ..self }
    }
}
