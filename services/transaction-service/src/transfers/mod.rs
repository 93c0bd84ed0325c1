//! Transfers between wallets.
//!
//! Steps of one transfer; each takes a list, so that concurrent requests can be gathered:
//! 1. plan: find both wallets, and refuse what needs no ledger to refuse. The key stays unused by a refusal;
//! 2. claim: in one database transaction, the key, the row as `initiated` under a lease, and its event;
//! 3. post: hand the list to the ledger, by transfer id. No database transaction is open;
//! 4. settle: in one database transaction, `completed` or `failed` and its event, if it is still `initiated`.
//!
//! A crash or a lost answer between 2 and 4 leaves `initiated` rows. When their lease is over, recovery (or the
//! client's retry, whichever comes first) goes on at 3; the ledger answers a posting that it knows as the first time.

mod entity;
mod error;
mod ledger;
mod recovery;
mod repo;
pub(crate) mod routes;

use std::{collections::HashMap, time::Instant};

use chrono::TimeDelta;
use common_auth::CurrentUser;
use common_db::{
    PgPool,
    idempotency::{self, Claim, IdempotencyKey, NewClaim, RequestHash},
};
use common_events::{Actor, outbox};
use common_utils::{
    clock::SharedClock,
    correlation,
    ids::{TransactionId, UserId},
};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use error::TransferError;
pub(crate) use ledger::Ledger;

use crate::{
    SERVICE_NAME,
    directory::{Directory, Owned},
    metrics,
    transactions::{self, Party, Status, Transaction, events},
};
use entity::{Decision, Parties, Recipient, Settled, TransferRequest};
use repo::Settlement;

const OPERATION: &str = "transfer";

/// A planned transfer and the key that it claims.
#[derive(Debug)]
struct NewTransfer {
    transaction: Transaction,
    caller: String,
    key: IdempotencyKey,
    hash: RequestHash,
}

/// How far a transfer came by one attempt.
#[expect(clippy::large_enum_variant, reason = "nearly every one is the large variant")]
#[derive(Debug)]
enum Progress {
    Settled(Settled),
    /// The ledger's decision is not known.
    Unanswered,
    /// The key was used before.
    KeyUsed(Claim),
}

/// A transfer in its final state, as its sender is answered.
#[derive(Debug)]
struct Answer {
    transaction: Transaction,
    /// Decided by an earlier call with the same key.
    replayed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Transfers {
    pool: PgPool,
    clock: SharedClock,
    directory: Directory,
    ledger: Ledger,
    lease: TimeDelta,
}

impl Transfers {
    pub(crate) fn new(
        pool: PgPool,
        clock: SharedClock,
        directory: Directory,
        ledger: Ledger,
        lease: TimeDelta,
    ) -> Self {
        Self { pool, clock, directory, ledger, lease }
    }

    /// Sends money, once for each key.
    async fn send(
        &self,
        sender: &CurrentUser,
        key: IdempotencyKey,
        request: TransferRequest,
    ) -> Result<Answer, TransferError> {
        let hash =
            RequestHash::of(OPERATION, &request).map_err(|error| TransferError::Internal(error.into()))?;
        let caller = sender.id.to_string();
        let transaction = match self.plan(sender.id, request).await {
            Ok(transaction) => transaction,
            Err(refusal) => {
                // An earlier request with this key has decided, whatever became of the recipient since.
                let known = idempotency::find(&self.pool, &caller, &key, &hash).await?;
                return match known {
                    Some(claim) => self.answer_used_key(claim).await,
                    None => Err(refusal),
                };
            }
        };
        let transfer = NewTransfer { transaction, caller, key, hash };
        // A client that goes away must not leave the work half done, so it does not run in the client's request.
        let work = self.clone();
        let task = async move { work.carry_out(vec![transfer]).await }.in_current_span();
        let progress = tokio::spawn(correlation::scope(correlation::current(), task))
            .await
            .map_err(|error| TransferError::Internal(error.into()))??;
        match progress.into_iter().next() {
            Some(Progress::Settled(settled)) => {
                Ok(Answer { transaction: settled.into_inner(), replayed: false })
            }
            Some(Progress::KeyUsed(claim)) => self.answer_used_key(claim).await,
            Some(Progress::Unanswered) | None => Err(TransferError::Unanswered),
        }
    }

    /// Step 1.
    async fn plan(&self, sender: UserId, request: TransferRequest) -> Result<Transaction, TransferError> {
        let from = self.directory.owned_wallet(request.from).await?;
        if from.as_ref().is_some_and(|owned| owned.wallet.user != sender) {
            tracing::warn!(%sender, wallet = %request.from, "refused: a transfer from somebody else's wallet");
        }
        let from = from.filter(|owned| owned.wallet.user == sender).ok_or(TransferError::WalletNotFound)?;
        let to = self.recipient(&request).await?.ok_or(TransferError::RecipientNotFound)?;
        entity::check(&request, &from.wallet, &to.wallet)?;
        let (from, to) = tokio::join!(self.party(from), self.party(to));
        let now = self.clock.now();
        let parties = Parties { from, to };
        Ok(entity::initiated(request, parties, correlation::current(), now, now + self.lease))
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

    /// Steps 2 to 4, for all of a list at once.
    async fn carry_out(&self, transfers: Vec<NewTransfer>) -> Result<Vec<Progress>, TransferError> {
        let started = Instant::now();
        let claims = self.claim(&transfers).await?;
        let mut used = Vec::with_capacity(transfers.len());
        let mut fresh = Vec::with_capacity(transfers.len());
        for (transfer, claim) in transfers.into_iter().zip(claims) {
            match claim {
                Claim::Fresh => {
                    used.push(None);
                    fresh.push(transfer.transaction);
                }
                claim => used.push(Some(claim)),
            }
        }
        let decided = self.post_and_settle(&fresh, by_sender).await?;
        let settled = |progress: &&Progress| matches!(progress, Progress::Settled(_));
        decided.iter().filter(settled).for_each(|_| metrics::decided(started.elapsed()));
        let mut decided = decided.into_iter();
        let progress = used.into_iter().map(|claim| match claim {
            Some(claim) => Progress::KeyUsed(claim),
            None => decided.next().unwrap_or(Progress::Unanswered),
        });
        Ok(progress.collect())
    }

    /// Step 2.
    async fn claim(&self, transfers: &[NewTransfer]) -> Result<Vec<Claim>, TransferError> {
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
        let events = events::of_present_status(&fresh, by_sender, &*self.clock).await?;
        outbox::publish_in_op(&mut op, &events).await?;
        op.commit().await?;
        metrics::entered(fresh);
        Ok(claims)
    }

    /// Steps 3 and 4, for transfers that the caller holds the lease of; the answers are in their order.
    async fn post_and_settle(
        &self,
        held: &[Transaction],
        actor: fn(&Transaction) -> Actor,
    ) -> Result<Vec<Progress>, TransferError> {
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let decisions = match self.ledger.post(held).await {
            Ok(decisions) => decisions,
            Err(error) => {
                let transfers = held.len();
                tracing::warn!(transfers, error = format!("{error:#}"), "left to recovery");
                self.give_back(held).await?;
                return Ok(held.iter().map(|_| Progress::Unanswered).collect());
            }
        };
        let decided: Vec<(&Transaction, Decision)> =
            held.iter().zip(decisions).filter_map(|(one, decision)| Some((one, decision?))).collect();
        let mut settled = self.settle(&decided, actor).await?;
        let progress = |transfer: &Transaction| {
            settled.remove(&transfer.id).map_or(Progress::Unanswered, Progress::Settled)
        };
        Ok(held.iter().map(progress).collect())
    }

    /// Step 4.
    async fn settle(
        &self,
        decided: &[(&Transaction, Decision)],
        actor: fn(&Transaction) -> Actor,
    ) -> Result<HashMap<TransactionId, Settled>, TransferError> {
        let ends: Vec<Settlement> =
            decided.iter().map(|(transfer, end)| settlement(transfer, *end)).collect();
        let mut op = common_db::begin(&self.pool).await?;
        let executed = repo::settle_in_op(&mut op, &ends).await?;
        let ended: Vec<&Transaction> = executed.iter().collect();
        let events = events::of_present_status(&ended, actor, &*self.clock).await?;
        outbox::publish_in_op(&mut op, &events).await?;
        op.commit().await?;
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
    async fn give_back(&self, held: &[Transaction]) -> Result<(), TransferError> {
        let soon = TimeDelta::from_std(error::ASK_AGAIN).unwrap_or(self.lease);
        Ok(repo::release(&self.pool, held, self.clock.now() + soon).await?)
    }

    /// The answer to a call whose key was used before.
    async fn answer_used_key(&self, claim: Claim) -> Result<Answer, TransferError> {
        let Claim::Known(known) = claim else { return Err(TransferError::KeyReused) };
        let id = known.resource_id.map(TransactionId::from);
        let found = transactions::repo::find_one(&self.pool, id.unwrap_or(Uuid::nil().into())).await?;
        let first = found
            .ok_or_else(|| TransferError::Internal(anyhow::anyhow!("a claimed key leads to no transfer")))?;
        if first.status != Status::Initiated {
            return Ok(Answer { transaction: first, replayed: true });
        }
        let now = self.clock.now();
        let taken = repo::take_over(&self.pool, first.id, now, now + self.lease).await?;
        let taken = taken.ok_or(TransferError::InProgress)?;
        match self.post_and_settle(&[taken], by_sender).await?.pop() {
            Some(Progress::Settled(settled)) => {
                Ok(Answer { transaction: settled.into_inner(), replayed: false })
            }
            _ => Err(TransferError::Unanswered),
        }
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
fn by_sender(transfer: &Transaction) -> Actor {
    entity::sender(transfer).map_or_else(|| by_recovery(transfer), Actor::user)
}

fn by_recovery(_: &Transaction) -> Actor {
    Actor::service(SERVICE_NAME)
}
