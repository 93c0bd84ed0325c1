//! The steps of transfers, each for a list: one database transaction or one call, whatever the list's length.

use std::collections::HashMap;

use chrono::TimeDelta;
use common_db::{
    PgPool,
    idempotency::{self, Claim, IdempotencyKey, NewClaim, RequestHash},
};
use common_events::{Actor, outbox};
use common_utils::{clock::SharedClock, crash_point, ids::TransactionId};

use super::{
    entity::{self, Decision, Settled},
    error::{self, StepError},
    ledger::Ledger,
    repo::{self, Settlement},
};
use crate::{
    SERVICE_NAME, metrics,
    transactions::{self, Status, Transaction, events},
};

/// A planned transfer and the key that it claims.
#[derive(Debug)]
pub(super) struct NewTransfer {
    pub(super) transaction: Transaction,
    pub(super) caller: String,
    pub(super) key: IdempotencyKey,
    pub(super) hash: RequestHash,
}

/// How far a transfer came by one attempt.
#[expect(clippy::large_enum_variant, reason = "nearly every one is the large variant")]
#[derive(Debug)]
pub(super) enum Progress {
    Settled(Settled),
    /// The ledger's decision is not known.
    Unanswered,
    /// The key was used before.
    KeyUsed(Claim),
}

#[derive(Debug, Clone)]
pub(super) struct Steps {
    pub(super) pool: PgPool,
    pub(super) clock: SharedClock,
    pub(super) ledger: Ledger,
    pub(super) lease: TimeDelta,
}

impl Steps {
    /// Step 2.
    pub(super) async fn claim(&self, transfers: &[NewTransfer]) -> Result<Vec<Claim>, StepError> {
        let wanted: Vec<NewClaim<'_>> = transfers.iter().map(NewTransfer::claim).collect();
        let mut op = common_db::begin(&self.pool).await?;
        let claims = idempotency::claim_all_in_op(&mut op, &wanted, self.clock.now()).await?;
        let fresh: Vec<&Transaction> = transfers
            .iter()
            .zip(&claims)
            .filter(|(_, claim)| matches!(claim, Claim::Fresh))
            .map(|(transfer, _)| &transfer.transaction)
            .collect();
        if fresh.is_empty() {
            return Ok(claims);
        }
        transactions::repo::insert_in_op(&mut op, &fresh).await?;
        let events = events::of_present_status(&fresh, by_sender, &*self.clock)?;
        outbox::publish_in_op(&mut op, &events).await?;
        op.commit().await?;
        crash_point!("transfer.after_claim");
        metrics::entered(fresh);
        Ok(claims)
    }

    /// Steps 3 and 4, for transfers that the caller holds the lease of; the answers are in their order.
    pub(super) async fn post_and_settle(
        &self,
        held: &[Transaction],
        actor: fn(&Transaction) -> Actor,
    ) -> Result<Vec<Progress>, StepError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let decisions = self.post(held).await?;
        let decided: Vec<(&Transaction, Decision)> =
            held.iter().zip(decisions).filter_map(|(one, decision)| Some((one, decision?))).collect();
        let mut settled = self.settle(&decided, actor).await?;
        let progress = |transfer: &Transaction| {
            settled.remove(&transfer.id).map_or(Progress::Unanswered, Progress::Settled)
        };
        Ok(held.iter().map(progress).collect())
    }

    /// Step 3; None where no decision is known, which is then left to recovery.
    pub(super) async fn post(&self, held: &[Transaction]) -> Result<Vec<Option<Decision>>, StepError> {
        crash_point!("transfer.before_post");
        match self.ledger.post(held).await {
            Ok(decisions) => {
                crash_point!("transfer.after_post");
                Ok(decisions)
            }
            Err(error) => {
                let transfers = held.len();
                tracing::warn!(transfers, error = format!("{error:#}"), "left to recovery");
                self.give_back(held).await?;
                Ok(held.iter().map(|_| None).collect())
            }
        }
    }

    /// Step 4.
    pub(super) async fn settle(
        &self,
        decided: &[(&Transaction, Decision)],
        actor: fn(&Transaction) -> Actor,
    ) -> Result<HashMap<TransactionId, Settled>, StepError> {
        let ends: Vec<Settlement> =
            decided.iter().map(|(transfer, end)| settlement(transfer, *end)).collect();
        let mut op = common_db::begin(&self.pool).await?;
        let ended = repo::settle_in_op(&mut op, &ends).await?;
        let executed: Vec<Transaction> = decided
            .iter()
            .zip(&ends)
            .filter(|(_, end)| ended.contains(&end.id))
            .map(|((transfer, _), end)| end.applied_to(transfer))
            .collect();
        let ended: Vec<&Transaction> = executed.iter().collect();
        let events = events::of_present_status(&ended, actor, &*self.clock)?;
        outbox::publish_in_op(&mut op, &events).await?;
        op.commit().await?;
        crash_point!("transfer.after_settle");
        metrics::entered(&executed);
        let mut settled: HashMap<_, _> =
            executed.into_iter().map(|transfer| (transfer.id, Settled::Executed(transfer))).collect();
        // Somebody else was faster with these; what they wrote down is the same.
        let others: Vec<TransactionId> =
            ends.iter().map(|end| end.id).filter(|id| !settled.contains_key(id)).collect();
        if !others.is_empty() {
            let found = transactions::repo::find(&self.pool, &others).await?;
            settled
                .extend(found.into_iter().map(|transfer| (transfer.id, Settled::AlreadyApplied(transfer))));
        }
        Ok(settled)
    }

    /// The ledger could not be asked: whoever comes next need not wait for the whole lease.
    async fn give_back(&self, held: &[Transaction]) -> Result<(), StepError> {
        let soon = TimeDelta::from_std(error::ASK_AGAIN).unwrap_or(self.lease);
        Ok(repo::release(&self.pool, held, self.clock.now() + soon).await?)
    }
}

impl NewTransfer {
    fn claim(&self) -> NewClaim<'_> {
        NewClaim {
            caller: self.caller.clone(),
            key: &self.key,
            hash: &self.hash,
            resource_id: self.transaction.id.uuid(),
        }
    }
}

fn settlement(transfer: &Transaction, decision: Decision) -> Settlement {
    match decision {
        Decision::Posted { at } => {
            Settlement { id: transfer.id, status: Status::Completed, failure: None, completed_at: Some(at) }
        }
        Decision::Refused { code, wallet } => Settlement {
            id: transfer.id,
            status: Status::Failed,
            failure: Some(entity::failure(transfer, code, wallet)),
            completed_at: None,
        },
    }
}

/// The sender causes what happens in their own request.
pub(super) fn by_sender(transfer: &Transaction) -> Actor {
    entity::sender(transfer).map_or_else(|| by_recovery(transfer), Actor::user)
}

pub(super) fn by_recovery(_: &Transaction) -> Actor {
    Actor::service(SERVICE_NAME)
}
