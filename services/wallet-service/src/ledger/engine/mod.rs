//! The posting engine: many callers, one durable commit.
//!
//! Callers hand in lists of postings and wait. What arrives while one batch is being written is the next batch
//! ([`Gatherer`]), so under load a commit is shared by hundreds of callers, and a lone caller waits for nobody. A batch is one
//! database transaction, each phase one or two statements whatever the batch's size:
//!
//! | phase | what | why there |
//! | --- | --- | --- |
//! | 1 resolve | ids of the platform's accounts, opened when used for the first time; accounts of named holds and postings | these never change, and they say what to lock |
//! | 2 lock, read | `balances` of all touched accounts, in id order, each row as it is once it is locked | one order for all, so nobody waits in a circle |
//! | 3 know | postings decided before, by id; holds and returns that the batch names | after the lock: whoever wrote the same has committed by now |
//! | 4 decide | in arrival order, in memory (`rules/`, `batch.rs`) | nothing that is read can change any more |
//! | 5 write | holds; postings, entries, balances and events in one statement, as arrays; returns | in id order where a unique index may make us wait |
//! | 6 commit | and only then answer | an answer is a promise |
//!
//! This is [`locked`]. Most batches go a shorter way first, [`remembered`]: the process remembers the balances that it wrote
//! last, decides on them without a lock, and writes everything in a single statement, which fails as a whole unless
//! every balance in the table is still what was remembered and every posting is new (their primary key). Then, and whenever a
//! posting would be refused or anything but a plain movement takes part, the batch is decided under lock. So memory can make a batch slow, never wrong.
//!
//! A refusal is one posting's outcome and never fails its neighbours. When the database fails, every caller of the batch
//! learns that nothing is known to be written, and may send the same again: a posting is decided once for its id. When it fails because of
//! what one caller brought, the callers are tried one by one, and only that one fails.
//!
//! Two lists that bring the same new id and share no account (their contents differ, or the accounts do not exist)
//! both pass phase 3; the primary key of `postings` lets one of them through. The other starts over, and the posting
//! is known. A list also starts over when a hold or a posting that it names was committed after phase 1, which did not see
//! what accounts to lock for it. Instances beside each other are right for the same reasons: they share locks and keys,
//! nothing else.

mod locked;
mod memory;
mod remembered;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Instant,
};

use common_db::{Line, Op, PgPool};
use common_utils::{
    clock::SharedClock,
    gather::{Gatherer, Limits, Stage},
    money::Currency,
};

use super::{
    account::{AccountId, PlatformAccount, PlatformIds},
    error::LedgerError,
    metrics,
    outcome::PostingResult,
    posting::{AccountRef, Posting},
};
use crate::SERVICE;
use memory::Memory;

/// Every lost race makes one posting known, and two callers seldom share even one.
const ATTEMPTS: u32 = 3;
/// In legs. A batch of this size is written in some tens of milliseconds; what may wait, in about a second.
const LIMITS: Limits = Limits { batch: 2_000, waiting: 20_000 };

type Results = Result<Vec<PostingResult>, LedgerError>;

/// Writes postings.
#[derive(Debug)]
pub struct Ledger {
    writer: Arc<Writer>,
    gatherer: Gatherer<Vec<Posting>, Results>,
}

impl Ledger {
    /// Starts the task that writes; it ends when the ledger is dropped.
    pub fn start(pool: PgPool, clock: SharedClock) -> Self {
        let writer = Arc::new(Writer {
            line: Line::new(pool.clone()),
            pool,
            clock,
            platform: RwLock::default(),
            memory: Mutex::default(),
        });
        let carry_out = {
            let writer = Arc::clone(&writer);
            move |lists| Arc::clone(&writer).carry_out(lists)
        };
        let stage = Stage { service: SERVICE, stage: "post" };
        Self { writer, gatherer: Gatherer::start(stage, LIMITS, carry_out) }
    }

    /// Posts the list, together with what others bring; answers in the order given, after the commit.
    pub async fn post(&self, postings: Vec<Posting>) -> Results {
        let weight = postings.iter().map(Posting::weight).fold(0, u32::saturating_add);
        // The events are made in another task, for many requests at once.
        let postings = postings.into_iter().map(Posting::of_this_request).collect();
        self.gatherer.call(postings, weight).await?
    }

    /// Posts the list in the caller's transaction, which must not have locked balances itself. After an error the
    /// transaction can only be rolled back; after [`LedgerError::Raced`] it is worth another try at once.
    pub async fn post_in_op(&self, op: &mut Op, postings: &[Posting]) -> Results {
        Ok(self.writer.post_in_op(op, postings).await?.results)
    }

    /// Ends the holds whose time is over; says how many.
    pub async fn expire_overdue(&self) -> Result<usize, LedgerError> {
        self.writer.expire_overdue().await
    }
}

#[derive(Debug)]
struct Writer {
    pool: PgPool,
    line: Line,
    clock: SharedClock,
    /// They are opened once and never change.
    platform: RwLock<PlatformIds>,
    memory: Mutex<Memory>,
}

impl Writer {
    /// One answer for each list.
    async fn carry_out(self: Arc<Self>, lists: Vec<Vec<Posting>>) -> Vec<Results> {
        let lengths: Vec<usize> = lists.iter().map(Vec::len).collect();
        let of_list = |(number, list): (usize, Vec<Posting>)| {
            list.into_iter().map(move |posting| posting.of_list(number))
        };
        let postings = lists.into_iter().enumerate().flat_map(of_list).collect::<Vec<_>>();
        match self.post(&postings).await {
            Ok(results) => {
                let mut results = results.into_iter();
                lengths.into_iter().map(|length| Ok(results.by_ref().take(length).collect())).collect()
            }
            // A race is lost by one list; its neighbours have nothing to do with it.
            Err(error) if lengths.len() == 1 || (error.is_transient() && !error.is_race()) => {
                lengths.iter().map(|_| Err(error.clone())).collect()
            }
            Err(error) => {
                tracing::warn!(%error, lists = lengths.len(), "a batch failed; its lists are tried one by one");
                self.one_by_one(&postings, &lengths).await
            }
        }
    }

    async fn one_by_one(&self, mut postings: &[Posting], lengths: &[usize]) -> Vec<Results> {
        let mut answers = Vec::with_capacity(lengths.len());
        for length in lengths {
            let (list, rest) = postings.split_at(*length);
            answers.push(self.post(list).await);
            postings = rest;
        }
        answers
    }

    async fn post(&self, postings: &[Posting]) -> Results {
        let started = Instant::now();
        let results = match self.post_remembered(postings).await? {
            Some(results) => results,
            None => self.post_locked(postings).await?,
        };
        metrics::wrote(started.elapsed());
        Ok(results)
    }

    async fn post_locked(&self, postings: &[Posting]) -> Results {
        let mut attempt = 1;
        loop {
            match self.post_locked_once(postings).await {
                Err(LedgerError::Raced) if attempt < ATTEMPTS => attempt += 1,
                other => return other,
            }
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of the wanted accounts whose ids are remembered.
    fn known_platform(&self, wanted: &[(PlatformAccount, Currency)]) -> PlatformIds {
        let known = self.platform.read().unwrap_or_else(PoisonError::into_inner);
        wanted.iter().filter_map(|code| Some((code.clone(), *known.get(code)?))).collect()
    }
}

/// The platform's accounts that the list names, each once, in one order for all callers: opening one may wait for
/// somebody else who opens the same.
fn platform_accounts(postings: &[Posting]) -> Vec<(PlatformAccount, Currency)> {
    let named = postings.iter().flat_map(Posting::sides).filter_map(|(account, currency)| match account {
        AccountRef::Platform(code) => Some((code.clone(), currency)),
        AccountRef::Wallet(_) => None,
    });
    let mut found: Vec<_> = named.collect();
    found.sort_by(|(one, here), (other, there)| one.cmp(other).then_with(|| here.code().cmp(there.code())));
    found.dedup();
    found
}

/// The accounts to lock, in the order in which everybody locks them.
fn touched(postings: &[Posting], platform: &PlatformIds, led_to: Vec<AccountId>) -> Vec<AccountId> {
    let wallets = postings.iter().flat_map(Posting::sides).filter_map(|(account, _)| match account {
        AccountRef::Wallet(id) => Some(AccountId::from(*id)),
        AccountRef::Platform(_) => None,
    });
    in_order(wallets.chain(platform.values().copied()).chain(led_to))
}

fn in_order(accounts: impl IntoIterator<Item = AccountId>) -> Vec<AccountId> {
    accounts.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}
