//! The steps of transfers, each for a list: one statement or one call, whatever the list's length.

use std::{collections::HashMap, sync::Arc};

use chrono::TimeDelta;
use common_db::{
    Line, PgPool,
    idempotency::{self, Claim, IdempotencyKey, NewClaim, RequestHash},
};
use common_events::{Actor, outbox};
use common_utils::{clock::SharedClock, crash_point, ids::TransactionId};
use uuid::Uuid;

use super::{
    entity::{self, Decision, Settled},
    error::{self, StepError},
    ledger::Ledger,
    repo::{self, Begun, Settlement, Written},
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

/// Transfers that the ledger has decided, and how.
pub(super) type Decided<'a> = &'a [(&'a Transaction, Decision)];
pub(super) type Ended = HashMap<TransactionId, Settled>;

#[derive(Debug, Clone)]
pub(super) struct Steps {
    pool: PgPool,
    line: Arc<Line>,
    clock: SharedClock,
    ledger: Ledger,
    pub(super) lease: TimeDelta,
}

impl Steps {
    pub(super) fn new(pool: PgPool, clock: SharedClock, ledger: Ledger, lease: TimeDelta) -> Self {
        Self { line: Arc::new(Line::new(pool.clone())), pool, clock, ledger, lease }
    }

    /// Step 2 of some and step 4 of others, in one statement: each alone would cost as much as both.
    pub(super) async fn write(
        &self,
        new: &[NewTransfer],
        decided: Decided<'_>,
        actor: fn(&Transaction) -> Actor,
    ) -> Result<(Vec<Claim>, Ended), StepError> {
        let mut decided = decided.to_vec();
        decided.sort_unstable_by_key(|(transfer, _)| transfer.id);
        let ends: Vec<Settlement> =
            decided.iter().map(|(transfer, decision)| settlement(transfer, *decision)).collect();
        let after: Vec<Transaction> =
            decided.iter().zip(&ends).map(|((transfer, _), end)| end.applied_to(transfer)).collect();
        let begun = Begun {
            claims: new.iter().map(NewTransfer::claim).collect(),
            transfers: new.iter().map(|transfer| &transfer.transaction).collect(),
        };
        let mut events = events::of_present_status(&begun.transfers, by_sender, &*self.clock)?;
        events.extend(events::of_present_status(&after.iter().collect::<Vec<_>>(), actor, &*self.clock)?);
        let about: Vec<Uuid> =
            begun.transfers.iter().copied().chain(&after).map(|transfer| transfer.id.uuid()).collect();

        let mut line = self.line.take().await?;
        let row = outbox::Row::of(&events);
        let written = repo::write(&mut line, &begun, &ends, &about, &row, self.clock.now()).await?;
        outbox::soon(&events);
        if !new.is_empty() {
            crash_point!("transfer.after_claim");
        }
        if !ends.is_empty() {
            crash_point!("transfer.after_settle");
        }
        let claims = idempotency::answers(&mut line, &begun.claims, &written.begun).await?;
        self.line.keep(line);
        let fresh = begun.transfers.iter().zip(&claims).filter(|(_, claim)| matches!(claim, Claim::Fresh));
        metrics::entered(fresh.map(|(transfer, _)| *transfer));
        Ok((claims, self.ended(after, &written).await?))
    }

    /// Somebody else was faster with those that were not ended here; what they wrote down is the same.
    async fn ended(&self, after: Vec<Transaction>, written: &Written) -> Result<Ended, StepError> {
        let (here, elsewhere): (Vec<Transaction>, Vec<Transaction>) =
            after.into_iter().partition(|transfer| written.ended.contains(&transfer.id));
        metrics::entered(&here);
        let mut ended: Ended =
            here.into_iter().map(|transfer| (transfer.id, Settled::Executed(transfer))).collect();
        if !elsewhere.is_empty() {
            let ids: Vec<TransactionId> = elsewhere.iter().map(|transfer| transfer.id).collect();
            let found = transactions::repo::find(&self.pool, &ids).await?;
            ended.extend(found.into_iter().map(|transfer| (transfer.id, Settled::AlreadyApplied(transfer))));
        }
        Ok(ended)
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
        let (_, mut settled) = self.write(&[], &decided, actor).await?;
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

    /// The ledger could not be asked: whoever comes next need not wait for the whole lease.
    async fn give_back(&self, held: &[Transaction]) -> Result<(), StepError> {
        let soon = TimeDelta::from_std(error::ASK_AGAIN).unwrap_or(self.lease);
        Ok(repo::release(&self.pool, held, self.clock.now() + soon).await?)
    }
}

impl NewTransfer {
    fn claim(&self) -> NewClaim<'_> {
        NewClaim {
            caller: &self.caller,
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
