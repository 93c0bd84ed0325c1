//! A batch on what is remembered: one statement instead of six (accounts that are not remembered are read before, and holds
//! where money is held), and no lock is held while it is decided.
//!
//! Why it is right: every balance that a posting changes is compared, in the statement that changes it, with the balance that it
//! was decided on, together with everything else about the account that the rules read. When another transaction has
//! changed any of it, nothing is written. Postings that were decided before are not looked for: nearly all are new, and the
//! primary key stops the batch where one is not. What would need more than that is not done here: a refusal changes no balance
//! that could be compared, and holds and returns have state of their own.

use std::collections::HashMap;

use common_utils::crash_point;

use super::{Writer, platform_accounts, touched};
use crate::ledger::{
    Action, LedgerError, Outcome, Posting, PostingResult,
    batch::{self, Batch},
    book::Book,
    metrics, repo,
};

impl Writer {
    /// None where it has to be decided under lock.
    pub(super) async fn post_remembered(
        &self,
        postings: &[Posting],
    ) -> Result<Option<Vec<PostingResult>>, LedgerError> {
        if !postings.iter().all(|posting| matches!(posting.action(), Action::Move(_))) {
            return Ok(None);
        }
        let wanted = platform_accounts(postings);
        let platform = self.known_platform(&wanted);
        if platform.len() < wanted.len() {
            return Ok(None);
        }
        let touched = touched(postings, &platform, Vec::new());
        let Some((mut accounts, missing)) = self.memory().recall(&touched) else { return Ok(None) };
        let mut line = self.line.take().await?;
        if !missing.is_empty() {
            accounts.extend(repo::read(&mut line, &missing).await?);
        }
        let now = self.clock.now();
        if repo::any_overdue(&mut line, &accounts, now).await? {
            return Ok(None);
        }
        let mut book = Book::new(accounts, platform);
        let batch = batch::decide_all(&mut book, HashMap::new(), postings, now);
        if !fits(&batch) {
            self.line.keep(line);
            return Ok(None);
        }
        crash_point!("ledger.after_decide");
        if !batch.decided.is_empty() {
            match repo::write_at_once(&mut line, &book, &batch.decided).await {
                Ok(()) => {}
                Err(LedgerError::Stale) => {
                    self.memory().was_wrong(&touched);
                    metrics::misremembered();
                    return Ok(None);
                }
                // One of them is known, or just being written by somebody else.
                Err(LedgerError::Raced) => return Ok(None),
                Err(error) => {
                    self.memory().forget(&touched);
                    return Err(error);
                }
            }
        }
        crash_point!("ledger.after_commit");
        self.line.keep(line);
        let mut memory = self.memory();
        memory.was_right();
        memory.learn(book.accounts());
        drop(memory);
        metrics::decided(postings, &batch.results);
        Ok(Some(batch.results))
    }
}

/// Whether all of it is posted, and its events are few enough for one row.
fn fits(batch: &Batch<'_>) -> bool {
    let entries: usize = batch.decided.iter().map(|decided| decided.entries.len()).sum();
    let posted = |result: &PostingResult| result.outcome == Outcome::Posted;
    entries <= common_events::outbox::MOST_IN_A_ROW && batch.results.iter().all(posted)
}
