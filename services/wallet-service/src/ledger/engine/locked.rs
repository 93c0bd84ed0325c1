//! A batch under lock: phases 1 to 6.

use std::sync::PoisonError;

use common_db::Op;
use common_utils::crash_point;

use super::{Results, Writer, in_order, platform_accounts, touched};
use crate::ledger::{
    Account, LedgerError, PlatformIds, Posting, PostingResult, batch,
    book::Book,
    expiry::lock_and_expire_in_op,
    metrics,
    repo::{self, References},
};

const OVERDUE_AT_ONCE: i64 = 1_000;

/// What was decided, and how the accounts stand after it.
#[derive(Debug)]
pub(super) struct Posted {
    pub results: Vec<PostingResult>,
    pub accounts: Vec<Account>,
}

impl Writer {
    pub(super) async fn post_locked_once(&self, postings: &[Posting]) -> Results {
        let mut op = common_db::begin(&self.pool).await?;
        let Posted { results, accounts } = self.post_in_op(&mut op, postings).await?;
        crash_point!("ledger.before_commit");
        op.commit().await?;
        crash_point!("ledger.after_commit");
        self.memory().learn(&accounts);
        Ok(results)
    }

    pub(super) async fn post_in_op(&self, op: &mut Op, postings: &[Posting]) -> Result<Posted, LedgerError> {
        let platform = self.platform_in_op(op, postings).await?;
        let named = References::of(postings);
        let led_to = repo::accounts_of_in_op(op, &named).await?;
        let accounts = repo::lock_in_op(op, &touched(postings, &platform, led_to)).await?;
        crash_point!("ledger.after_lock");
        let known = repo::known_in_op(op, postings).await?;
        let now = self.clock.now();
        let holds = repo::holds_in_op(op, &named, &accounts, now).await?;
        let earlier = repo::earlier_in_op(op, &named).await?;
        let mut book = Book::new(accounts, platform).with_holds(holds).with_earlier(earlier);
        if !book.is_complete() {
            self.forget_platform();
            return Err(LedgerError::Raced);
        }
        let batch = batch::decide_all(&mut book, known, postings, now);
        crash_point!("ledger.after_decide");
        repo::write_in_op(op, &book, &batch.decided).await?;
        metrics::decided(postings, &batch.results);
        metrics::expired(batch.expired);
        Ok(Posted { results: batch.results, accounts: book.accounts().cloned().collect() })
    }

    /// A list without postings: phases 2 to 6 on the accounts that have overdue holds, some at a time.
    pub(super) async fn expire_overdue(&self) -> Result<usize, LedgerError> {
        let mut total = 0;
        loop {
            let now = self.clock.now();
            let overdue = repo::accounts_with_overdue(&self.pool, now, OVERDUE_AT_ONCE).await?;
            let mut op = common_db::begin(&self.pool).await?;
            let (_, expired) = lock_and_expire_in_op(&mut op, &in_order(overdue), now).await?;
            op.commit().await?;
            total += expired;
            if expired == 0 {
                return Ok(total);
            }
        }
    }

    /// Phase 1. Only accounts that were there before this transaction are remembered: it may still be rolled back.
    async fn platform_in_op(&self, op: &mut Op, postings: &[Posting]) -> Result<PlatformIds, LedgerError> {
        let wanted = platform_accounts(postings);
        let remembered = self.known_platform(&wanted);
        if remembered.len() == wanted.len() {
            return Ok(remembered);
        }
        let found = repo::platform_accounts_in_op(op, &wanted).await?;
        if found.len() < wanted.len() {
            return repo::open_platform_accounts_in_op(op, &wanted, self.clock.now()).await;
        }
        let mut known = self.platform.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(found.iter().map(|(code, id)| (code.clone(), *id)));
        Ok(found)
    }

    /// After a list that leads to an account which is not there: the database was set back, or who opened it rolled back.
    fn forget_platform(&self) {
        self.platform.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
