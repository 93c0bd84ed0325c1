//! The ledger: double entry, append-only, exact. A list of postings is written in one database transaction; each of
//! them is posted or refused on its own. The phases, each one or two statements whatever the list's length:
//!
//! | phase | what | why there |
//! | --- | --- | --- |
//! | 1 open | accounts of the platform that are used for the first time | so that there is a row to lock |
//! | 2 lock | `balances` of all touched accounts, in id order | one order for all, so nobody waits in a circle |
//! | 3 know | postings decided before, by id | after the lock: whoever wrote the same posting has committed by now |
//! | 4 read | accounts and balances | a statement of its own: one begun before the lock was had sees old rows |
//! | 5 decide | in arrival order, in memory (`rules.rs`, `batch.rs`) | nothing that is read can change any more |
//! | 6 write | postings, entries, balances, outbox, as arrays | in id order where a unique index may make us wait |
//! | 7 commit | and only then answer | an answer is a promise |
//!
//! Two lists that bring the same new id and share no account (their contents differ, or the accounts do not exist)
//! both pass phase 3; the primary key of `postings` lets one of them through. The other starts over, and the posting
//! is known.

mod account;
mod batch;
mod error;
mod events;
mod history;
pub(crate) mod metrics;
mod posting;
mod repo;
pub(crate) mod routes;
mod rules;
mod status;
pub mod verify;

use std::{collections::BTreeSet, time::Instant};

use common_db::{Op, PgPool};
use common_utils::{clock::SharedClock, money::Currency};

pub use account::{
    Account, AccountId, AccountStatus, Book, PlatformAccount, PlatformIds, Standing, UnknownPlatformAccount,
};
pub use error::LedgerError;
pub use history::{Entry, Order, PastBalance, balance_at, entries};
pub use posting::{
    AccountRef, Leg, MAX_DESCRIPTION, MAX_LEGS, Origin, Outcome, Posting, PostingResult, PostingType,
    Refusal, RefusalCode,
};
pub use repo::open_customer_account_in_op;
pub use rules::Direction;
pub use status::{Frozen, set_frozen_in_op};

/// Every lost race makes one posting known, and two callers seldom share even one.
const ATTEMPTS: u32 = 3;

/// Writes postings.
#[derive(Debug)]
pub struct Ledger {
    pool: PgPool,
    clock: SharedClock,
}

impl Ledger {
    pub fn new(pool: PgPool, clock: SharedClock) -> Self {
        Self { pool, clock }
    }

    /// Posts the list in a transaction of its own; answers in the order given, after the commit.
    pub async fn post(&self, postings: Vec<Posting>) -> Result<Vec<PostingResult>, LedgerError> {
        let started = Instant::now();
        let mut attempt = 1;
        let results = loop {
            match self.post_once(&postings).await {
                Err(LedgerError::Raced) if attempt < ATTEMPTS => attempt += 1,
                other => break other?,
            }
        };
        metrics::wrote(started.elapsed());
        Ok(results)
    }

    async fn post_once(&self, postings: &[Posting]) -> Result<Vec<PostingResult>, LedgerError> {
        let mut op = common_db::begin(&self.pool).await?;
        let results = self.post_in_op(&mut op, postings).await?;
        op.commit().await?;
        Ok(results)
    }

    /// Posts the list in the caller's transaction, which must not have locked balances itself. After an error the
    /// transaction can only be rolled back; after [`LedgerError::Raced`] it is worth another try at once.
    pub async fn post_in_op(
        &self,
        op: &mut Op,
        postings: &[Posting],
    ) -> Result<Vec<PostingResult>, LedgerError> {
        let platform =
            repo::open_platform_accounts_in_op(op, &platform_accounts(postings), self.clock.now()).await?;
        let touched = touched(postings, &platform);
        repo::lock_in_op(op, &touched).await?;
        let known = repo::known_in_op(op, postings).await?;
        let mut book = Book::new(repo::accounts_in_op(op, &touched).await?, platform);
        let batch = batch::decide_all(&mut book, known, postings, self.clock.now());
        repo::write_in_op(op, &book, &batch.decided).await?;
        metrics::decided(postings, &batch.results);
        Ok(batch.results)
    }
}

/// The platform's accounts that the list names, each once, in one order for all callers: opening one may wait for
/// somebody else who opens the same.
fn platform_accounts(postings: &[Posting]) -> Vec<(PlatformAccount, Currency)> {
    let mut found: Vec<_> = sides(postings)
        .filter_map(|(account, currency)| match account {
            AccountRef::Platform(code) => Some((code.clone(), currency)),
            AccountRef::Wallet(_) => None,
        })
        .collect();
    found.sort_by(|(one, here), (other, there)| one.cmp(other).then_with(|| here.code().cmp(there.code())));
    found.dedup();
    found
}

/// The accounts to lock, in the order in which everybody locks them.
fn touched(postings: &[Posting], platform: &PlatformIds) -> Vec<AccountId> {
    let wallets = sides(postings).filter_map(|(account, _)| match account {
        AccountRef::Wallet(id) => Some(AccountId::from(*id)),
        AccountRef::Platform(_) => None,
    });
    wallets.chain(platform.values().copied()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn sides(postings: &[Posting]) -> impl Iterator<Item = (&AccountRef, Currency)> {
    let legs = postings.iter().flat_map(Posting::legs);
    legs.flat_map(|leg| [&leg.debit, &leg.credit].map(|account| (account, leg.amount.currency)))
}
