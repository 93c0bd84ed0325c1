//! A connection that a stage keeps for itself from one batch to the next. Where two use a line at the same time, one of them has
//! a connection of the pool.
//!
//! A pool makes sure that a connection is alive when it is taken and when it is given back. Each is a round trip, which is
//! as much as a short statement costs; a stage that sends one batch after the other need not pay it.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{PgConnection, PgPool, Postgres, pool::PoolConnection};

use crate::pool::REST;

/// The pool renews its connections, and with them plans that were made for smaller tables.
const KEPT_AT_MOST: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub struct Line {
    pool: PgPool,
    kept: Slot,
}

type Slot = Arc<Mutex<Option<Kept>>>;

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    taken: Instant,
    used: Instant,
}

/// The connection in use. Dropped without [`Line::keep`] it goes back to the pool.
#[derive(Debug)]
pub struct Lent {
    connection: PoolConnection<Postgres>,
    taken: Instant,
}

impl Line {
    /// Starts a task that gives the connection back when the pool closes, which waits for that.
    pub fn new(pool: PgPool) -> Self {
        let kept = Slot::default();
        let (closed, slot) = (pool.close_event(), Arc::downgrade(&kept));
        tokio::spawn(async move {
            closed.await;
            if let Some(slot) = slot.upgrade() {
                slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            }
        });
        Self { pool, kept }
    }

    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The kept connection, or another one of the pool.
    pub async fn take(&self) -> sqlx::Result<Lent> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Kept { connection, taken, used }) = kept
            && used.elapsed() < REST
            && taken.elapsed() < KEPT_AT_MOST
        {
            return Ok(Lent { connection, taken });
        }
        Ok(Lent { connection: self.pool.acquire().await?, taken: Instant::now() })
    }

    /// Keeps it for the next time; nothing may have failed on it.
    pub fn keep(&self, Lent { connection, taken }: Lent) {
        let mut slot = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // More than one would never be used again, and be missing in the pool.
        if slot.is_none() {
            *slot = Some(Kept { connection, taken, used: Instant::now() });
        }
        // Asked last: who closes the pool marks it first, and then has the slot emptied.
        if self.pool.is_closed() {
            slot.take();
        }
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
