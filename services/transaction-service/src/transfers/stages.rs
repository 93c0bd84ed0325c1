//! Transfers of concurrent requests, gathered: each step is carried out for all that wait for it, one batch of it at a time.
//!
//! Claims and settlements wait together: both are written to the same tables, and a statement for both costs little more than
//! one for either. So a transfer is in three batches, and there are two of them at a time, one here and one in the ledger.

use std::{sync::Arc, time::Instant};

use common_db::idempotency::Claim;
use common_utils::gather::{Gatherer, Limits, Stage};
use tokio::sync::Semaphore;

use super::{
    entity::{Decision, Settled},
    error::StepError,
    steps::{Claimed, Each, NewTransfer, Progress, Steps, by_sender},
};
use crate::{SERVICE, metrics, transactions::Transaction};

/// The body of a call to the ledger stays well below its limit, whatever the narrations are.
const POSTED_AT_ONCE: u32 = 500;
const WRITTEN_AT_ONCE: u32 = 1_000;
/// New transfers are refused beyond this; what has been claimed goes on, so there is more room for the rest of its way.
const CLAIMING: usize = 4_000;
const WAITING: u32 = 20_000;

#[derive(Debug)]
enum Work {
    Claim(NewTransfer),
    Settle(Decided),
}

#[derive(Debug)]
enum Done {
    Claimed(Transaction),
    KeyUsed(Claim),
    /// None: it is not to be found.
    Settled(Option<Settled>),
}

type Decided = (Transaction, Decision);
type Result<T> = std::result::Result<T, StepError>;

#[derive(Debug, Clone)]
pub(super) struct Stages {
    claiming: Arc<Semaphore>,
    write: Gatherer<Work, Result<Done>>,
    post: Gatherer<Transaction, Result<Option<Decided>>>,
}

impl Stages {
    pub(super) fn start(steps: &Steps) -> Self {
        let steps = Arc::new(steps.clone());
        let of = |stage| Stage { service: SERVICE, stage };
        let limits = |batch| Limits { batch, waiting: WAITING };
        let (writing, posting) = (Arc::clone(&steps), steps);
        Self {
            claiming: Arc::new(Semaphore::new(CLAIMING)),
            write: Gatherer::start(of("write"), limits(WRITTEN_AT_ONCE), move |batch| {
                write(Arc::clone(&writing), batch)
            }),
            post: Gatherer::start(of("post"), limits(POSTED_AT_ONCE), move |batch| {
                post(Arc::clone(&posting), batch)
            }),
        }
    }

    /// Steps 2 to 4 of one transfer.
    pub(super) async fn carry_out(&self, transfer: NewTransfer) -> Result<Progress> {
        let started = Instant::now();
        let transfer = match self.claim(transfer).await? {
            Done::Claimed(transfer) => transfer,
            Done::KeyUsed(claim) => return Ok(Progress::KeyUsed(claim)),
            Done::Settled(_) => return Err(StepError::Broken),
        };
        // From here on recovery ends what is left behind.
        let Ok(posted) = self.post.call(transfer, 1).await else { return Ok(Progress::Unanswered) };
        let Some(decided) = posted? else { return Ok(Progress::Unanswered) };
        let Ok(written) = self.write.call(Work::Settle(decided), 1).await else {
            return Ok(Progress::Unanswered);
        };
        let Done::Settled(Some(settled)) = written? else { return Ok(Progress::Unanswered) };
        metrics::decided(started.elapsed());
        Ok(Progress::Settled(settled))
    }

    async fn claim(&self, transfer: NewTransfer) -> Result<Done> {
        let Ok(_room) = self.claiming.try_acquire() else {
            self.write.refused();
            return Err(StepError::Overloaded);
        };
        self.write.call(Work::Claim(transfer), 1).await?
    }
}

async fn write(steps: Arc<Steps>, batch: Vec<Work>) -> Vec<Result<Done>> {
    let is_claim: Vec<bool> = batch.iter().map(|work| matches!(work, Work::Claim(_))).collect();
    let (mut new, mut decided) = (Vec::new(), Vec::new());
    for work in batch {
        match work {
            Work::Claim(transfer) => new.push(transfer),
            Work::Settle(transfer) => decided.push(transfer),
        }
    }
    let ends: Vec<(&Transaction, Decision)> =
        decided.iter().map(|(transfer, decision)| (transfer, *decision)).collect();
    let Each { claims, settled } = steps.write(&new, &ends, by_sender).await;
    let claimed = |(transfer, claim): (NewTransfer, Result<Claimed>)| {
        claim.map(|claim| match claim {
            Claimed::Begun(over_limit) => Done::Claimed(Transaction { over_limit, ..transfer.transaction }),
            Claimed::KeyUsed(used) => Done::KeyUsed(used),
        })
    };
    let mut claimed = new.into_iter().zip(claims).map(claimed);
    let mut settled = settled.into_iter().map(|settled| settled.map(Done::Settled));
    let next = |is_claim: bool| if is_claim { claimed.next() } else { settled.next() };
    is_claim.into_iter().map(next).map(|done| done.unwrap_or(Err(StepError::Broken))).collect()
}

async fn post(steps: Arc<Steps>, batch: Vec<Transaction>) -> Vec<Result<Option<Decided>>> {
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
