//! Freezing. It takes the same lock as a posting, so each posting is either decided before the account was frozen or
//! sees that it is.

use common_db::Op;

use super::{AccountId, AccountStatus, LedgerError, repo};

/// What became of an order to freeze or unfreeze.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frozen {
    Executed,
    AlreadyApplied,
    /// Closed accounts stay as they are.
    Closed,
    NoSuchAccount,
}

/// Freezes the account, or lets it be used again.
pub async fn set_frozen_in_op(op: &mut Op, account: AccountId, frozen: bool) -> Result<Frozen, LedgerError> {
    repo::lock_in_op(op, &[account]).await?;
    let wanted = if frozen { AccountStatus::Frozen } else { AccountStatus::Active };
    match repo::status_in_op(op, account).await? {
        None => Ok(Frozen::NoSuchAccount),
        Some(AccountStatus::Closed) => Ok(Frozen::Closed),
        Some(status) if status == wanted => Ok(Frozen::AlreadyApplied),
        Some(_) => {
            repo::set_status_in_op(op, account, wanted).await?;
            Ok(Frozen::Executed)
        }
    }
}
