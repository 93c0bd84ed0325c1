//! Deposits on the suspense account, and how they leave it. Those that were above a limit are released into their wallets as soon
//! as they fit: when the owner's tier rises, when the figures change, when money went out of the wallet (`worker`). Those of a
//! frozen or closed wallet wait for a person, who releases any that fits or returns any to its bank (`cli`).
//!
//! Order of steps: the deposit's row is locked → it waits still, and fits → a posting from suspense to the wallet, or the one that
//! undoes its arrival → the row says released or returned → commit. So it leaves once and one way, whoever wants it to, and the
//! ledger keeps the ceiling whatever comes in meanwhile.

mod entity;
mod error;
pub(crate) mod metrics;
mod repo;
mod worker;

use std::sync::Arc;

use common_db::{Op, PgPool};
use common_limits::Limits;
use common_utils::{clock::SharedClock, ids::TransactionId};
use uuid::Uuid;

pub use entity::BankReference;
pub(crate) use entity::Decided;
pub(crate) use error::ParkedError;
pub(crate) use repo::{Listed, is_any_of_in_op, list};
pub use worker::Releasing;

use super::{deposit, entity::Obstacle};
use crate::{
    ledger::{AccountRef, Action, Ledger, Origin, Outcome, PlatformAccount, Posting, PostingType},
    owners,
};
use entity::Parked;
use repo::End;

/// All that is needed to bring a deposit off the suspense account.
#[derive(Debug, Clone)]
pub struct Parking {
    pub pool: PgPool,
    pub clock: SharedClock,
    pub limits: Limits,
    pub ledger: Arc<Ledger>,
}

impl Parking {
    /// Releases a deposit on a person's order, whatever it waits for. It must fit, as it must by itself.
    pub(crate) async fn release(&self, id: Uuid) -> Result<Decided, ParkedError> {
        let mut op = common_db::begin(&self.pool).await?;
        let parked = repo::lock_in_op(&mut op, id).await?.ok_or(ParkedError::NotFound)?;
        if parked.standing.is_released()? {
            return Ok(Decided::AlreadyApplied);
        }
        self.release_in_op(&mut op, id, &parked).await?;
        op.commit().await?;
        // A security event, for the log that is watched.
        tracing::info!(deposit = %id, wallet = %parked.deposit.wallet_id, "a deposit was released by order");
        Ok(Decided::Executed)
    }

    /// Writes down that a deposit goes back to its bank, under this reference. It undoes the posting by which it arrived, which the
    /// ledger does once.
    pub(crate) async fn give_back(
        &self,
        id: Uuid,
        reference: &BankReference,
    ) -> Result<Decided, ParkedError> {
        let mut op = common_db::begin(&self.pool).await?;
        let parked = repo::lock_in_op(&mut op, id).await?.ok_or(ParkedError::NotFound)?;
        if parked.standing.is_returned_as(reference.as_str())? {
            return Ok(Decided::AlreadyApplied);
        }
        let undone = Action::Reverse { posting: id.into() };
        let origin = Origin {
            provider_reference: Some(reference.as_str().to_owned()),
            counterparty_name: parked.deposit.sender_name.clone(),
            ..Origin::default()
        };
        let posting =
            Posting::of(TransactionId::new(), PostingType::Reversal, "Deposit returned to its bank", undone)
                .map_err(|_| ParkedError::NoPosting)?;
        self.end_in_op(&mut op, id, posting.with_origin(origin), End::Returned(reference)).await?;
        op.commit().await?;
        // As above.
        tracing::info!(
            deposit = %id, wallet = %parked.deposit.wallet_id, bank_reference = reference.as_str(),
            "a deposit was returned by order"
        );
        Ok(Decided::Executed)
    }

    /// After the row's lock. After an error the transaction can only be rolled back.
    async fn release_in_op(&self, op: &mut Op, id: Uuid, parked: &Parked) -> Result<(), ParkedError> {
        let deposit = &parked.deposit;
        if owners::is_above_single_deposit(&self.limits, parked.tier, deposit.amount) {
            return Err(ParkedError::AboveSingleDeposit);
        }
        let to = AccountRef::Wallet(deposit.wallet_id);
        let posting = deposit::posting(TransactionId::new(), deposit, PlatformAccount::Suspense, to)
            .map_err(|_| ParkedError::NoPosting)?;
        self.end_in_op(op, id, posting, End::Released).await
    }

    async fn end_in_op(
        &self,
        op: &mut Op,
        id: Uuid,
        posting: Posting,
        end: End<'_>,
    ) -> Result<(), ParkedError> {
        let by = posting.id();
        let results = self.ledger.post_in_op(op, &[posting]).await?;
        if let Some(Outcome::Refused(refusal)) = results.first().map(|result| result.outcome) {
            return Err(ParkedError::Refused(refusal.code));
        }
        Ok(repo::end_in_op(op, id, end, by, self.clock.now()).await?)
    }
}

/// Why a deposit waits that is released by itself.
fn limits() -> Vec<String> {
    Obstacle::LIMITS.map(Obstacle::name).into()
}
