//! Virtual accounts: numbers at a bank that lead to a wallet.
//!
//! Order of steps: a row `requested` is written in the transaction that knows of the need ([`request_in_op`]) → the
//! worker takes it by a lease → asks identity for the person, whose BVN is kept nowhere → asks the provider, which
//! makes the account or has it already → one transaction writes customer, number and event.
//!
//! A provider or identity that is down delays the number; it never holds up a wallet.

mod entity;
mod error;
mod events;
mod identity;
mod issue;
mod metrics;
mod repo;
mod worker;

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::{
    correlation,
    ids::{UserId, WalletId},
};

pub use identity::Identity;
pub use worker::Issuing;

/// Asks for an account number for the wallet; false when one has been asked for before. After the commit, wake the
/// worker through `AppState::accounts_wanted`.
pub async fn request_in_op(
    op: &mut Op,
    provider: &str,
    wallet: WalletId,
    user: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    repo::request_in_op(op, provider, wallet, user, &correlation::current(), now).await
}
