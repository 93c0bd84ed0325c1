//! Owners of wallets: the tier of each, as identity-service tells it, and what it lets their wallets hold and take in.
//!
//! The figures are configuration (`common-limits`); a tier is known by events, and nobody of whom none has come yet is in tier 0.
//! Every wallet in the currency of the figures has an intake ceiling in the ledger: the largest balance of its owner's tier. It
//! is set where the wallet is opened, moved when the tier changes, and compared with the figures at every start and every hour (`sweep`).
//! Deposits ask for the largest single one (`webhooks/`).
//!
//! Who opens a wallet for somebody, moves their tier or their ceilings takes their lock first, so that no wallet keeps the
//! ceiling of a tier that has changed meanwhile. Who takes the locks of several takes them at once: they come in one order.

mod consumer;
mod entity;
mod repo;
mod sweep;

use common_db::Op;
use common_limits::Limits;
use common_utils::{ids::UserId, money::Currency};

pub use consumer::TierEvents;
pub use entity::is_above_single_deposit;
pub(crate) use entity::{SingleDeposits, single_deposits};
pub(crate) use repo::lock_in_op;
pub use sweep::Sweep;

use crate::ledger;
use entity::{Told, intake_ceiling, newest};

/// What a wallet that is opened for this person may hold. Their lock must be held.
pub(crate) async fn intake_ceiling_in_op(
    op: &mut Op,
    limits: &Limits,
    user: UserId,
    currency: Currency,
) -> sqlx::Result<Option<i64>> {
    let tier = repo::tier_in_op(op, user).await?;
    Ok(intake_ceiling(limits, tier, currency))
}

/// Takes in what was told of tiers, and moves the ceilings of those whose tier it is. What is older than what is known changes
/// nothing, and what was taken in before neither. Says whether anybody's tier is another one now.
async fn take_in_in_op(op: &mut Op, limits: &Limits, told: Vec<Told>) -> sqlx::Result<bool> {
    let told = newest(told);
    let users: Vec<UserId> = told.iter().map(|told| told.user).collect();
    lock_in_op(op, &users).await?;
    let moved = repo::upsert_in_op(op, &told).await?;
    move_ceilings_in_op(op, limits, &moved).await?;
    Ok(!moved.is_empty())
}

/// Brings the ceilings of all wallets of these people in line with their tiers. Their locks must be held.
async fn move_ceilings_in_op(op: &mut Op, limits: &Limits, users: &[UserId]) -> sqlx::Result<()> {
    let wallets = repo::wallets_of_in_op(op, users).await?;
    let ceilings: Vec<_> = wallets
        .into_iter()
        .map(|wallet| (wallet.id.into(), intake_ceiling(limits, wallet.tier, wallet.currency)))
        .collect();
    ledger::set_intake_ceilings_in_op(op, &ceilings).await
}
