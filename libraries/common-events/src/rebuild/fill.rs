//! What was replayed, written into the new tables: a batch in a transaction, and what the handler refuses told apart by halves.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    time::{Duration, Instant},
};

use common_db::{Op, PgPool};
use common_utils::crash_point;
use futures::FutureExt;
use sqlx::{Executor, error::DatabaseError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Progress, Rebuild, Told, Totals,
    copy::Copy,
    replay::{Batch, Replay},
};
use crate::{
    Event, HandlerError,
    consumer::Offered,
    inbox::{self, Content},
};

const TELL: Duration = Duration::from_secs(1);
/// A database that is away is tried so often.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Filling<'a> {
    rebuild: &'a Rebuild,
    pool: PgPool,
    copy: &'a Copy<'a>,
    replay: Replay,
    /// Read and not committed yet.
    behind: Vec<Batch>,
    /// Of what is committed, and of what the open transaction has written.
    totals: Totals,
    uncommitted: Totals,
    begun: Instant,
    told: Instant,
}

impl<'a> Filling<'a> {
    pub(super) fn new(rebuild: &'a Rebuild, pool: PgPool, copy: &'a Copy<'a>, replay: Replay) -> Self {
        let (begun, none) = (Instant::now(), Totals::default());
        Self {
            rebuild,
            pool,
            copy,
            replay,
            behind: Vec::new(),
            totals: none,
            uncommitted: none,
            begun,
            told: begun,
        }
    }

    /// How many messages are left.
    pub(super) async fn note_the_end(&mut self) -> anyhow::Result<u64> {
        self.replay.note_the_end().await
    }

    /// Reads and writes up to where the topics ended when that was noted. False when it was told to stop before.
    pub(super) async fn read_on(
        &mut self,
        shutdown: &CancellationToken,
        tell: &(dyn Fn(Told<'_>) + Send + Sync),
    ) -> anyhow::Result<bool> {
        loop {
            self.write().await?;
            if self.told.elapsed() >= TELL {
                self.told = Instant::now();
                tell(Told::Progress(self.progress()));
            }
            let handler = &*self.rebuild.projection.handler;
            let Some(batch) = shutdown.run_until_cancelled(self.replay.next(handler)).await else {
                return Ok(false);
            };
            let Some(batch) = batch? else { return Ok(true) };
            self.behind.push(batch);
        }
    }

    /// Reads what is left, and writes it without a commit: the outer error ends the rebuild, the inner one the attempt.
    pub(super) async fn rest_in_op(&mut self, op: &mut Op) -> anyhow::Result<Result<(), HandlerError>> {
        while let Some(batch) = self.replay.next(&*self.rebuild.projection.handler).await? {
            self.behind.push(batch);
        }
        Ok(self.write_in_op(op).await)
    }

    /// What was written in the open transaction is there for good.
    pub(super) fn committed(&mut self) {
        self.behind.clear();
        let new = std::mem::take(&mut self.uncommitted);
        self.totals.messages += new.messages;
        self.totals.applied += new.applied;
        self.totals.unreadable += new.unreadable;
        self.totals.refused += new.refused;
    }

    pub(super) fn totals(&self) -> Totals {
        Totals { elapsed: self.begun.elapsed(), ..self.totals }
    }

    fn progress(&self) -> Progress {
        let (done, total) = (self.replay.done(), self.replay.total());
        Progress { done, total, elapsed: self.begun.elapsed() }
    }

    /// Writes what was read, in a transaction of its own, and waits a while for a database that is away.
    async fn write(&mut self) -> anyhow::Result<()> {
        if self.behind.is_empty() {
            return Ok(());
        }
        let (mut attempts, mut pause) = (0, PAUSE);
        loop {
            let error = match self.try_write().await {
                Ok(()) => return Ok(()),
                Err(HandlerError::Failed(error)) => return Err(error),
                Err(HandlerError::Unavailable(error)) => error,
            };
            attempts += 1;
            if attempts >= ATTEMPTS {
                return Err(error.context("the database is away"));
            }
            tracing::warn!(%error, "the database does not answer; waiting for it");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_write(&mut self) -> Result<(), HandlerError> {
        let mut op = common_db::begin(&self.pool).await?;
        // What a crash loses is replayed again; the commit that switches over waits for the disk, and for all before it.
        op.execute("SET LOCAL synchronous_commit = off").await?;
        self.write_in_op(&mut op).await?;
        op.commit().await?;
        self.committed();
        crash_point!("rebuild.after_batch");
        Ok(())
    }

    async fn write_in_op(&mut self, op: &mut Op) -> Result<(), HandlerError> {
        self.uncommitted = Totals::default();
        // They may repeat each other, in the switch.
        let ids: Vec<Uuid> =
            self.behind.iter().flat_map(|batch| &batch.offered).map(|offered| offered.event.id).collect();
        // By another connection: from now on this one sees the new tables only.
        let had = inbox::had(&self.pool, self.rebuild.group, &ids).await?;
        self.copy.enter_in_op(op).await?;
        let mut new = Totals::default();
        for batch in &self.behind {
            new.messages += batch.messages;
            new.unreadable += batch.broken;
            let events = trusted(&batch.offered, &had, &mut new.unreadable);
            self.apply_in_op(op, &events, &mut new).await?;
        }
        self.uncommitted = new;
        Ok(())
    }

    /// All together; where that is refused, halves of it, down to the one that is at fault.
    async fn apply_in_op(
        &self,
        op: &mut Op,
        events: &[&Event],
        totals: &mut Totals,
    ) -> Result<(), HandlerError> {
        let mut parts = vec![events];
        while let Some(part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            op.execute("SAVEPOINT part").await?;
            let error = match self.handle_in_op(op, part).await {
                Ok(()) => {
                    op.execute("RELEASE SAVEPOINT part").await?;
                    totals.applied += part.len() as u64;
                    continue;
                }
                Err(HandlerError::Failed(error)) if !is_ours(&error) => error,
                Err(error) => return Err(error),
            };
            op.execute("ROLLBACK TO SAVEPOINT part").await?;
            if let [event] = part {
                let (kind, id, error) = (&event.kind, event.id, format!("{error:#}"));
                tracing::warn!(kind, %id, error, "an event is left out of the read model");
                totals.refused += 1;
            } else {
                let (first, second) = part.split_at(part.len() / 2);
                parts.extend([second, first]);
            }
        }
        Ok(())
    }

    async fn handle_in_op(&self, op: &mut Op, events: &[&Event]) -> Result<(), HandlerError> {
        let handled = self.rebuild.projection.handler.handle_all_in_op(op, events);
        match AssertUnwindSafe(handled).catch_unwind().await {
            Ok(result) => result,
            // The panic hook has logged where and why.
            Err(_) => Err(HandlerError::Failed(anyhow::anyhow!("the handler panicked"))),
        }
    }
}

/// A statement that does not fit the tables, or tables that are not there any more, are no fault of an event.
fn is_ours(error: &anyhow::Error) -> bool {
    let database = error.downcast_ref::<sqlx::Error>().and_then(sqlx::Error::as_database_error);
    database.and_then(DatabaseError::code).is_some_and(|code| code.starts_with("42"))
}

/// The first of each id, unless the inbox knows the id with other content: then the consumer had another event first.
fn trusted<'a>(
    offered: &'a [Offered],
    had: &HashMap<Uuid, Option<Vec<u8>>>,
    conflicts: &mut u64,
) -> Vec<&'a Event> {
    let mut first: HashMap<Uuid, Content> = HashMap::with_capacity(offered.len());
    let mut events = Vec::with_capacity(offered.len());
    for offered in offered {
        let id = offered.event.id;
        let before = had.get(&id).and_then(Option::as_deref);
        let conflicts_with = |content: &[u8]| content != offered.content;
        if before.is_some_and(conflicts_with) || first.get(&id).is_some_and(|content| conflicts_with(content))
        {
            tracing::warn!(%id, "an event is left out of the read model: another one had its id");
            *conflicts += 1;
        } else if first.insert(id, offered.content).is_none() {
            events.push(&offered.event);
        }
    }
    events
}
