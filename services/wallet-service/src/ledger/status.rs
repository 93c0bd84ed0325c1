//! Freezing, closing, bounding. Each takes the same lock as a posting, so every posting is either decided before it or
//! sees it; and ends overdue holds first, as a posting does.

use chrono::{DateTime, Utc};
use common_db::{Op, constraint};

use super::{Account, AccountId, AccountStatus, LedgerError, expiry::lock_and_expire_in_op, repo};

/// What became of an order to freeze, unfreeze or close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusChange {
    Executed,
    AlreadyApplied,
    /// Closed accounts stay as they are.
    Closed,
    /// Only an account that holds nothing is closed.
    NotEmpty,
    NoSuchAccount,
}

pub async fn set_status_in_op(
    op: &mut Op,
    account: AccountId,
    wanted: AccountStatus,
    now: DateTime<Utc>,
) -> Result<StatusChange, LedgerError> {
    let (mut found, _) = lock_and_expire_in_op(op, &[account], now).await?;
    let Some(Account { status, standing, .. }) = found.pop() else {
        return Ok(StatusChange::NoSuchAccount);
    };
    if status == wanted {
        return Ok(StatusChange::AlreadyApplied);
    }
    if status == AccountStatus::Closed {
        return Ok(StatusChange::Closed);
    }
    if wanted == AccountStatus::Closed && (standing.posted != 0 || standing.held != 0) {
        return Ok(StatusChange::NotEmpty);
    }
    repo::set_status_in_op(op, account, wanted).await?;
    Ok(StatusChange::Executed)
}

/// What became of an order to bound a balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounded {
    Executed,
    /// The balance is outside of them as it stands.
    Outside,
    NoSuchAccount,
}

/// Sets how far the balance may go. After [`Bounded::Outside`] the transaction can only be rolled back.
pub async fn set_bounds_in_op(
    op: &mut Op,
    account: AccountId,
    floor: i64,
    ceiling: Option<i64>,
    now: DateTime<Utc>,
) -> Result<Bounded, LedgerError> {
    if lock_and_expire_in_op(op, &[account], now).await?.0.is_empty() {
        return Ok(Bounded::NoSuchAccount);
    }
    match repo::set_bounds_in_op(op, account, floor, ceiling).await {
        Ok(()) => Ok(Bounded::Executed),
        Err(error) => match constraint::violated(&error) {
            Some("balances_available_above_floor" | "balances_posted_below_ceiling") => Ok(Bounded::Outside),
            _ => Err(error.into()),
        },
    }
}
