//! Transfers between wallets.
//!
//! Steps of one transfer. Concurrent requests share each of them (`stages.rs`): what arrives while one batch is in a
//! stage is the next batch of it, and the stages overlap.
//! 1. plan: find both wallets, refuse what needs no ledger to refuse, and ask for an approval of what is large. The key stays
//!    unused by a refusal;
//! 2. claim: in one statement, the keys, what leaves each sender today, the rows as `initiated` under a lease, and their events;
//! 3. post: hand the list to the ledger, by transfer id, without those that would pass a limit. No database transaction is open;
//! 4. settle: in one statement, `completed` or `failed` and their events, where they are still `initiated`; what failed has not left.
//!
//! A crash or a lost answer between 2 and 4 leaves `initiated` rows. When their lease is over, recovery (or the
//! client's retry, whichever comes first) goes on at 3; the ledger answers a posting that it knows as the first time. What would
//! pass a limit goes on at 4, by a release that knows of limits alone (`repo/lease.rs`).

mod approval;
mod entity;
mod error;
mod ledger;
mod outflow;
mod recovery;
mod repo;
pub(crate) mod routes;
mod stages;
mod steps;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use common_auth::Claims;
use common_db::{
    PgPool,
    idempotency::{self, Claim, IdempotencyKey, RequestHash},
};
use common_limits::Limits;
use common_utils::{
    clock::SharedClock,
    correlation,
    ids::{TransactionId, UserId},
};
use tracing::Instrument;
use uuid::Uuid;

pub use approval::{ApprovalAbove, InvalidApprovalAbove};
pub(crate) use error::TransferError;
pub(crate) use ledger::Ledger;

use crate::{
    directory::{Directory, Owned},
    transactions::{self, Party, Status, Transaction},
};
use entity::{Parties, Recipient, TransferRequest};
use outflow::Counted;
use stages::Stages;
use steps::{NewTransfer, Progress, Steps, by_sender};

const OPERATION: &str = "transfer";

/// A transfer in its final state, as its sender is answered.
#[derive(Debug)]
struct Answer {
    transaction: Transaction,
    /// Decided by an earlier call with the same key.
    replayed: bool,
}

/// Who sends, and what their token says of how they came.
#[derive(Debug, Clone)]
struct Sender {
    /// Of a machine, its owner.
    id: UserId,
    claims: Arc<Claims>,
}

impl Sender {
    /// When the device was bound that their session is on.
    fn device_since(&self) -> Option<DateTime<Utc>> {
        self.claims.dev_at.and_then(|at| DateTime::from_timestamp(at, 0))
    }

    /// By which a machine acts for them.
    fn api_key(&self) -> Option<Uuid> {
        self.claims.client_id
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Transfers {
    pool: PgPool,
    clock: SharedClock,
    directory: Directory,
    approval_above: ApprovalAbove,
    steps: Steps,
    stages: Stages,
}

impl Transfers {
    /// Starts the stages; they end when the last clone is dropped.
    pub(crate) fn start(
        pool: PgPool,
        clock: SharedClock,
        directory: Directory,
        ledger: Ledger,
        lease: TimeDelta,
        limits: Limits,
        approval_above: ApprovalAbove,
    ) -> Self {
        let steps = Steps::new(pool.clone(), clock.clone(), ledger, lease, limits);
        Self { pool, clock, directory, approval_above, stages: Stages::start(&steps), steps }
    }

    /// Sends money, once for each key.
    async fn send(
        &self,
        sender: &Sender,
        key: IdempotencyKey,
        request: TransferRequest,
    ) -> Result<Answer, TransferError> {
        let hash =
            RequestHash::of(OPERATION, &request).map_err(|error| TransferError::Internal(error.into()))?;
        let caller = sender.id.to_string();
        let transaction = match self.plan(sender, request).await {
            Ok(transaction) => transaction,
            Err(refusal) => {
                // An earlier request with this key has decided, whatever became of the recipient since.
                let known = idempotency::find(&self.pool, &caller, &key, &hash).await?;
                return match known {
                    Some(claim) => Box::pin(self.answer_used_key(claim, sender)).await,
                    None => Err(refusal),
                };
            }
        };
        let counted = Counted::of(&transaction, sender.device_since(), &self.steps.limits);
        let transfer = NewTransfer { transaction, caller, key, hash, counted };
        let stages = self.stages.clone();
        match in_a_task_of_its_own(async move { stages.carry_out(transfer).await }).await?? {
            Progress::Settled(settled) => Ok(Answer { transaction: settled.into_inner(), replayed: false }),
            // Rare, and large: the future of every transfer would carry it along.
            Progress::KeyUsed(claim) => Box::pin(self.answer_used_key(claim, sender)).await,
            Progress::Unanswered => Err(TransferError::Unanswered),
        }
    }

    /// Step 1.
    async fn plan(&self, sender: &Sender, request: TransferRequest) -> Result<Transaction, TransferError> {
        let from = self.directory.owned_wallet(request.from).await?;
        if from.as_ref().is_some_and(|owned| owned.wallet.user != sender.id) {
            tracing::warn!(sender = %sender.id, wallet = %request.from, "refused: a transfer from somebody else's wallet");
        }
        let from =
            from.filter(|owned| owned.wallet.user == sender.id).ok_or(TransferError::WalletNotFound)?;
        let to = self.recipient(&request).await?.ok_or(TransferError::RecipientNotFound)?;
        entity::check(&request, &from.wallet, &to.wallet)?;
        let now = self.clock.now();
        self.approval_above.check(&sender.claims, request.amount, now)?;
        let (from, to) = tokio::join!(self.party(from), self.party(to));
        let parties = Parties { from, to };
        let (api_key, leased_until) = (sender.api_key(), now + self.steps.lease);
        Ok(entity::initiated(request, parties, api_key, correlation::current(), now, leased_until))
    }

    async fn recipient(&self, request: &TransferRequest) -> Result<Option<Owned>, TransferError> {
        let currency = request.amount.currency;
        Ok(match &request.to {
            Recipient::Wallet(id) => self.directory.owned_wallet(*id).await?,
            Recipient::AccountNumber(number) => self.directory.by_account_number(number).await?,
            Recipient::Phone(phone) => self.directory.by_phone(phone, currency).await?,
            Recipient::Email(email) => self.directory.by_email(email, currency).await?,
        })
    }

    async fn party(&self, owned: Owned) -> Party {
        let name = self.directory.name_of(&owned).await;
        Party { wallet: owned.wallet.id, user: owned.wallet.user, name }
    }

    /// The answer to a call whose key was used before.
    async fn answer_used_key(&self, claim: Claim, sender: &Sender) -> Result<Answer, TransferError> {
        let Claim::Known(known) = claim else { return Err(TransferError::KeyReused) };
        let id = known.resource_id.map(TransactionId::from);
        let found = transactions::repo::find_one(&self.pool, id.unwrap_or(Uuid::nil().into())).await?;
        let first = found
            .ok_or_else(|| TransferError::Internal(anyhow::anyhow!("a claimed key leads to no transfer")))?;
        if first.status != Status::Initiated {
            return Ok(Answer { transaction: first, replayed: true });
        }
        let (this, api_key) = (self.clone(), sender.api_key());
        let task = async move { this.resume(first.id, api_key).await };
        match in_a_task_of_its_own(task).await?? {
            Some(Progress::Settled(settled)) => {
                Ok(Answer { transaction: settled.into_inner(), replayed: false })
            }
            _ => Err(TransferError::Unanswered),
        }
    }

    /// Steps 3 and 4 of a transfer that was left behind, for who asks again.
    async fn resume(
        &self,
        id: TransactionId,
        api_key: Option<Uuid>,
    ) -> Result<Option<Progress>, TransferError> {
        let now = self.clock.now();
        let lease = self.steps.lease;
        let taken = repo::take_over(&self.pool, id, now, now + lease, now - lease).await?;
        let taken = Transaction { api_key, ..taken.ok_or(TransferError::InProgress)? };
        Ok(self.steps.post_and_settle(&[taken], by_sender).await?.pop().transpose()?)
    }
}

/// A client that goes away must not leave the work half done, so it does not run in the client's request.
async fn in_a_task_of_its_own<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, TransferError> {
    let task = correlation::scope(correlation::current(), work.in_current_span());
    tokio::spawn(task).await.map_err(|error| TransferError::Internal(error.into()))
}
