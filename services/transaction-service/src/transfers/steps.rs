//! The steps of transfers, each for a list: one statement or one call, whatever the list's length, as long as nobody was there
//! before. What the database refuses because of one transfer is tried again one by one, so that only that one fails.

use std::{collections::HashMap, sync::Arc};

use chrono::TimeDelta;
use common_db::{
    Line, PgPool,
    idempotency::{self, Claim, IdempotencyKey, NewClaim, RequestHash},
};
use common_events::{Actor, outbox};
use common_limits::Limits;
use common_utils::{clock::SharedClock, crash_point, ids::TransactionId};
use sqlx::PgConnection;

use super::{
    entity::{self, Decision, Settled},
    error::{self, StepError},
    ledger::Ledger,
    outflow::{self, Counted, Figures},
    repo::{self, Begun, Settlement, Written},
};
use crate::{
    SERVICE_NAME, metrics,
    transactions::{self, OverLimit, Status, Transaction, events},
};

/// A planned transfer, the key that it claims, and where it counts.
#[derive(Debug)]
pub(super) struct NewTransfer {
    pub(super) transaction: Transaction,
    pub(super) caller: String,
    pub(super) key: IdempotencyKey,
    pub(super) hash: RequestHash,
    pub(super) counted: Counted,
}

/// What became of a planned transfer.
#[derive(Debug)]
pub(super) enum Claimed {
    /// It is initiated; if it would pass a limit, only to end as failed.
    Begun(Option<OverLimit>),
    KeyUsed(Claim),
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
type Ended = HashMap<TransactionId, Settled>;

/// What became of each, in the order of both lists.
#[derive(Debug, Default)]
pub(super) struct Each {
    pub(super) claims: Vec<Result<Claimed, StepError>>,
    /// None: it is not to be found.
    pub(super) settled: Vec<Result<Option<Settled>, StepError>>,
}

#[derive(Debug, Clone)]
pub(super) struct Steps {
    pool: PgPool,
    line: Arc<Line>,
    clock: SharedClock,
    ledger: Ledger,
    pub(super) lease: TimeDelta,
    pub(super) limits: Arc<Limits>,
    figures: Arc<Figures>,
}

impl Steps {
    pub(super) fn new(
        pool: PgPool,
        clock: SharedClock,
        ledger: Ledger,
        lease: TimeDelta,
        limits: Limits,
    ) -> Self {
        let figures = Arc::new(Figures::of(&limits));
        let line = Arc::new(Line::new(pool.clone()));
        Self { line, pool, clock, ledger, lease, limits: Arc::new(limits), figures }
    }

    /// Step 2 of some and step 4 of others, in one statement: each alone would cost as much as both.
    pub(super) async fn write(
        &self,
        new: &[NewTransfer],
        decided: Decided<'_>,
        actor: fn(&Transaction) -> Actor,
    ) -> Each {
        match self.write_at_once(new, decided, actor).await {
            Ok((claims, mut ended)) => {
                let settled = decided.iter().map(|(transfer, _)| Ok(ended.remove(&transfer.id)));
                Each { claims, settled: settled.collect() }
            }
            Err(error) if new.len() + decided.len() == 1 || error.is_transient() => Each {
                claims: new.iter().map(|_| Err(error.clone())).collect(),
                settled: decided.iter().map(|_| Err(error.clone())).collect(),
            },
            Err(error) => {
                let transfers = new.len() + decided.len();
                tracing::warn!(%error, transfers, "a batch failed; its transfers are tried one by one");
                self.write_one_by_one(new, decided, actor).await
            }
        }
    }

    /// Ends with the first failure that all who are left would share.
    async fn write_one_by_one(
        &self,
        new: &[NewTransfer],
        decided: Decided<'_>,
        actor: fn(&Transaction) -> Actor,
    ) -> Each {
        let mut each = Each::default();
        let mut gone: Option<StepError> = None;
        for transfer in new {
            let alone = match &gone {
                Some(error) => Err(error.clone()),
                None => self.write_at_once(std::slice::from_ref(transfer), &[], actor).await,
            };
            gone = gone.or_else(|| alone.as_ref().err().filter(|error| error.is_transient()).cloned());
            each.claims
                .push(alone.and_then(|(mut claims, _)| claims.pop().unwrap_or(Err(StepError::Broken))));
        }
        for end in decided {
            let alone = match &gone {
                Some(error) => Err(error.clone()),
                None => self.write_at_once(&[], std::slice::from_ref(end), actor).await,
            };
            gone = gone.or_else(|| alone.as_ref().err().filter(|error| error.is_transient()).cloned());
            each.settled.push(alone.map(|(_, mut ended)| ended.remove(&end.0.id)));
        }
        each
    }

    async fn write_at_once(
        &self,
        new: &[NewTransfer],
        decided: Decided<'_>,
        actor: fn(&Transaction) -> Actor,
    ) -> Result<(Vec<Result<Claimed, StepError>>, Ended), StepError> {
        if new.is_empty() && decided.is_empty() {
            return Ok((Vec::new(), Ended::new()));
        }
        let mut decided = decided.to_vec();
        decided.sort_unstable_by_key(|(transfer, _)| transfer.id);
        let ends: Vec<Settlement> =
            decided.iter().map(|(transfer, decision)| settlement(transfer, *decision)).collect();
        let after: Vec<Transaction> =
            decided.iter().zip(&ends).map(|((transfer, _), end)| end.applied_to(transfer)).collect();
        let begun = Begun {
            claims: new.iter().map(NewTransfer::claim).collect(),
            transfers: new.iter().map(|transfer| &transfer.transaction).collect(),
            counted: new.iter().map(|transfer| transfer.counted).collect(),
            figures: &self.figures,
            new_since: self.limits.new_devices_since(self.clock.now()),
        };
        let mut told = events::of_present_status(&begun.transfers, by_sender, &*self.clock)?;
        told.extend(events::of_present_status(&after.iter().collect::<Vec<_>>(), actor, &*self.clock)?);

        let mut line = self.line.take().await?;
        let written = repo::write(&mut line, &begun, &ends, &told, self.clock.now()).await?;
        outbox::soon(told.iter().map(|(_, event)| event));
        if !new.is_empty() {
            crash_point!("transfer.after_claim");
        }
        if !ends.is_empty() {
            crash_point!("transfer.after_settle");
        }
        // It is committed: what fails from here on must not hide it from those who know enough already.
        let claims = idempotency::answers(&mut line, &begun.claims, written.begun.len()).await;
        let (ended, found) = ended(&mut line, after, &written).await;
        if claims.is_ok() && found.is_ok() {
            self.line.keep(line);
        }
        let fresh = begun.transfers.iter().filter(|transfer| written.begun.contains(&transfer.id.uuid()));
        metrics::entered(fresh.copied());
        let claims = claims.map_or_else(
            |error| claims_without_answers(&begun, &written, &error.into()),
            |claims| {
                begun
                    .claims
                    .iter()
                    .zip(claims)
                    .map(|(claim, answer)| Ok(claimed(claim, answer, &written)))
                    .collect()
            },
        );
        if let Err(error) = found {
            tracing::warn!(%error, "what others have settled could not be read");
        }
        Ok((claims, ended))
    }

    /// Steps 3 and 4, for transfers that the caller holds the lease of; the answers are in their order.
    pub(super) async fn post_and_settle(
        &self,
        held: &[Transaction],
        actor: fn(&Transaction) -> Actor,
    ) -> Result<Vec<Result<Progress, StepError>>, StepError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let decisions = self.post(held).await?;
        let decided: Vec<(&Transaction, Decision)> =
            held.iter().zip(&decisions).filter_map(|(one, decision)| Some((one, (*decision)?))).collect();
        let mut settled = self.write(&[], &decided, actor).await.settled.into_iter();
        let progress = |decision: Option<Decision>| {
            let settled = decision.and_then(|_| settled.next()).transpose()?.flatten();
            Ok(settled.map_or(Progress::Unanswered, Progress::Settled))
        };
        Ok(decisions.into_iter().map(progress).collect())
    }

    /// Step 3; None where no decision is known, which is then left to recovery. What would pass a limit is decided already.
    pub(super) async fn post(&self, held: &[Transaction]) -> Result<Vec<Option<Decision>>, StepError> {
        let within: Vec<&Transaction> =
            held.iter().filter(|transfer| transfer.over_limit.is_none()).collect();
        let mut asked = self.ask(&within).await?.into_iter();
        let decision = |transfer: &Transaction| match transfer.over_limit {
            Some(over) => Some(Decision::OverLimit(over)),
            None => asked.next().flatten(),
        };
        Ok(held.iter().map(decision).collect())
    }

    async fn ask(&self, held: &[&Transaction]) -> Result<Vec<Option<Decision>>, StepError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
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
    async fn give_back(&self, held: &[&Transaction]) -> Result<(), StepError> {
        let soon = TimeDelta::from_std(error::ASK_AGAIN).unwrap_or(self.lease);
        Ok(repo::release(&self.pool, held, self.clock.now() + soon).await?)
    }
}

/// The fresh ones are known without asking.
fn claims_without_answers(
    begun: &Begun<'_>,
    written: &Written,
    error: &StepError,
) -> Vec<Result<Claimed, StepError>> {
    let answer = |claim: &NewClaim<'_>| {
        if written.begun.contains(&claim.resource_id) {
            Ok(claimed(claim, Claim::Fresh, written))
        } else {
            Err(error.clone())
        }
    };
    begun.claims.iter().map(answer).collect()
}

fn claimed(claim: &NewClaim<'_>, answer: Claim, written: &Written) -> Claimed {
    match answer {
        Claim::Fresh => Claimed::Begun(written.over_limit.get(&claim.resource_id).copied()),
        used => Claimed::KeyUsed(used),
    }
}

/// Somebody else was faster with those that were not ended here; what they wrote down is the same.
async fn ended(
    connection: &mut PgConnection,
    after: Vec<Transaction>,
    written: &Written,
) -> (Ended, sqlx::Result<()>) {
    let (here, elsewhere): (Vec<Transaction>, Vec<Transaction>) =
        after.into_iter().partition(|transfer| written.ended.contains(&transfer.id));
    metrics::entered(&here);
    here.iter().filter_map(|transfer| transfer.over_limit).for_each(|over| metrics::over_limit(over.limit));
    let mut ended: Ended =
        here.into_iter().map(|transfer| (transfer.id, Settled::Executed(transfer))).collect();
    if elsewhere.is_empty() {
        return (ended, Ok(()));
    }
    let ids: Vec<TransactionId> = elsewhere.iter().map(|transfer| transfer.id).collect();
    let found = transactions::repo::find(connection, &ids).await.map(|found| {
        ended.extend(found.into_iter().map(|transfer| (transfer.id, Settled::AlreadyApplied(transfer))));
    });
    (ended, found)
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
        Decision::OverLimit(over) => Settlement {
            id: transfer.id,
            status: Status::Failed,
            failure: Some(outflow::failure(over, transfer.amount.currency)),
            completed_at: None,
        },
    }
}

/// The sender causes what happens in their own request, and their machine what happens in one of its.
pub(super) fn by_sender(transfer: &Transaction) -> Actor {
    match transfer.api_key {
        Some(key) => Actor::api_key(key),
        None => entity::sender(transfer).map_or_else(|| by_recovery(transfer), Actor::user),
    }
}

pub(super) fn by_recovery(_: &Transaction) -> Actor {
    Actor::service(SERVICE_NAME)
}
