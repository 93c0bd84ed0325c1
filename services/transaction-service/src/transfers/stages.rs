//! Transfers of concurrent requests, gathered: each step is carried out for all that wait for it, one batch of it at a time.
//!
//! A batch that fails because of what one transfer brought is tried again one by one, so that only that one fails.

use std::{sync::Arc, time::Instant};

use common_db::idempotency::Claim;
use common_utils::gather::{Gatherer, Limits, Stage};

use super::{
    entity::{Decision, Settled},
    error::StepError,
    steps::{NewTransfer, Progress, Steps, by_sender},
};
use crate::{SERVICE, metrics, transactions::Transaction};

/// The body of a call to the ledger stays well below its limit, whatever the narrations are.
const BATCH: u32 = 500;
/// New transfers are refused beyond this; what has been claimed goes on, so the later stages have more room.
const CLAIMING: u32 = 4_000;
const BEYOND: u32 = 20_000;

#[expect(clippy::large_enum_variant, reason = "nearly every one is the large variant")]
#[derive(Debug)]
enum Claimed {
    Fresh(Transaction),
    Used(Claim),
}

type Decided = (Transaction, Decision);

#[derive(Debug, Clone)]
pub(super) struct Stages {
    claim: Gatherer<NewTransfer, Result<Claimed, StepError>>,
    post: Gatherer<Transaction, Result<Option<Decided>, StepError>>,
    settle: Gatherer<Decided, Result<Option<Settled>, StepError>>,
}

impl Stages {
    pub(super) fn start(steps: &Steps) -> Self {
        let steps = Arc::new(steps.clone());
        let of = |stage| Stage { service: SERVICE, stage };
        let limits = |waiting| Limits { batch: BATCH, waiting };
        let (claiming, posting, settling) = (Arc::clone(&steps), Arc::clone(&steps), steps);
        Self {
            claim: Gatherer::start(of("claim"), limits(CLAIMING), move |batch| {
                claim(Arc::clone(&claiming), batch)
            }),
            post: Gatherer::start(of("post"), limits(BEYOND), move |batch| post(Arc::clone(&posting), batch)),
            settle: Gatherer::start(of("settle"), limits(BEYOND), move |batch| {
                settle(Arc::clone(&settling), batch)
            }),
        }
    }

    /// Steps 2 to 4 of one transfer.
    pub(super) async fn carry_out(&self, transfer: NewTransfer) -> Result<Progress, StepError> {
        let started = Instant::now();
        let transfer = match self.claim.call(transfer, 1).await?? {
            Claimed::Fresh(transfer) => transfer,
            Claimed::Used(claim) => return Ok(Progress::KeyUsed(claim)),
        };
        // From here on recovery ends what is left behind.
        let Ok(posted) = self.post.call(transfer, 1).await else { return Ok(Progress::Unanswered) };
        let Some(decided) = posted? else { return Ok(Progress::Unanswered) };
        let Ok(settled) = self.settle.call(decided, 1).await else { return Ok(Progress::Unanswered) };
        let Some(settled) = settled? else { return Ok(Progress::Unanswered) };
        metrics::decided(started.elapsed());
        Ok(Progress::Settled(settled))
    }
}

async fn claim(steps: Arc<Steps>, batch: Vec<NewTransfer>) -> Vec<Result<Claimed, StepError>> {
    let claims = match steps.claim(&batch).await {
        Ok(claims) => claims.into_iter().map(Ok).collect(),
        Err(error) if alike_for_all(&error, batch.len()) => {
            batch.iter().map(|_| Err(error.clone())).collect()
        }
        Err(_) => {
            let mut claims = Vec::with_capacity(batch.len());
            for transfer in &batch {
                let alone = steps.claim(std::slice::from_ref(transfer)).await;
                claims.push(alone.and_then(|mut claims| claims.pop().ok_or(StepError::Broken)));
            }
            claims
        }
    };
    let claimed = |(transfer, claim): (NewTransfer, Result<Claim, StepError>)| {
        claim.map(|claim| match claim {
            Claim::Fresh => Claimed::Fresh(transfer.transaction),
            used => Claimed::Used(used),
        })
    };
    batch.into_iter().zip(claims).map(claimed).collect()
}

async fn post(steps: Arc<Steps>, batch: Vec<Transaction>) -> Vec<Result<Option<Decided>, StepError>> {
    match steps.post(&batch).await {
        Ok(decisions) => {
            let decided = |(transfer, decision): (Transaction, Option<Decision>)| {
                Ok(decision.map(|decision| (transfer, decision)))
            };
            batch.into_iter().zip(decisions).map(decided).collect()
        }
        Err(error) => batch.iter().map(|_| Err(error.clone())).collect(),
    }
}

async fn settle(steps: Arc<Steps>, batch: Vec<Decided>) -> Vec<Result<Option<Settled>, StepError>> {
    let decided: Vec<(&Transaction, Decision)> =
        batch.iter().map(|(transfer, decision)| (transfer, *decision)).collect();
    match steps.settle(&decided, by_sender).await {
        Ok(mut settled) => batch.iter().map(|(transfer, _)| Ok(settled.remove(&transfer.id))).collect(),
        Err(error) if alike_for_all(&error, batch.len()) => {
            batch.iter().map(|_| Err(error.clone())).collect()
        }
        Err(_) => {
            let mut settled = Vec::with_capacity(batch.len());
            for one in &decided {
                let alone = steps.settle(std::slice::from_ref(one), by_sender).await;
                settled.push(alone.map(|mut alone| alone.remove(&one.0.id)));
            }
            settled
        }
    }
}

/// Nothing would come of trying them one by one.
fn alike_for_all(error: &StepError, transfers: usize) -> bool {
    if transfers > 1 && !error.is_transient() {
        tracing::warn!(%error, transfers, "a batch failed; its transfers are tried one by one");
        return false;
    }
    true
}
