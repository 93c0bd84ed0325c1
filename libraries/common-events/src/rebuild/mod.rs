//! Makes a read model anew from the topics, while the old one serves:
//! 1. notes where the topics end, and makes empty tables like those of the read model in a schema of their own (`copy.rs`);
//! 2. replays the topics from the beginning into these tables, by the handler that keeps the read model (`replay.rs`, `fill.rs`);
//! 3. follows what is published meanwhile, until little is left;
//! 4. in one transaction: takes the lock of the read model, so that no consumer writes; replays what is left; puts the new tables
//!    in the place of the old ones.
//!
//! All that a consumer had written when the lock was taken was in the topics by then, so the new tables have it. What consumers
//! take in afterwards they may have already, and the handler minds that as little as an event that comes twice. Whatever fails
//! before the last commit leaves the old read model as it was; tables that a killed rebuild left are dropped by the next one.
//!
//! What the consumer set aside because its id had been used by another event is left out here too, as the inbox tells. What a
//! handler refuses is tried again, and left out if it is refused again.

mod copy;
mod fill;
mod progress;
mod replay;

use std::time::Duration;

use anyhow::Context;
use common_db::{DbConfig, Op, PgPool, constraint, pool};
use common_utils::crash_point;
use sqlx::{Connection, Postgres, error::DatabaseError, pool::PoolConnection};
use tokio_util::sync::CancellationToken;

pub use self::progress::{Progress, Totals};
use self::{copy::Copy, fill::Filling, replay::Replay};
use crate::{HandlerError, KafkaConfig, projection::Projection};

/// With so few messages left it takes the lock: they are replayed while consumers wait.
const LITTLE: u64 = 2_000;
/// How long it waits for the lock, or for a reader of the old tables. Readers that come meanwhile wait behind it.
const LOCK_TIMEOUT: &str = "2s";
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// Its own, beside those of the services.
const CONNECTIONS: u32 = 4;

/// What a rebuild needs.
#[derive(Debug, Clone)]
pub struct Rebuild {
    pub projection: Projection,
    /// The consumer group that keeps the read model, which is also its name in the inbox.
    pub group: &'static str,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub shutdown: CancellationToken,
}

/// What is told on the way.
#[derive(Debug)]
pub enum Told<'a> {
    /// A schema that a killed rebuild had left was dropped.
    Leftover(&'a str),
    /// About once a second.
    Progress(Progress),
    /// Something else holds the read model; it is tried again.
    Waiting(&'a anyhow::Error),
}

/// How a rebuild ended that did not fail.
#[derive(Debug)]
pub enum Ended {
    /// The new read model serves.
    Switched(Totals),
    /// It was told to stop; the old one serves.
    Stopped,
}

/// What came of an attempt to switch over.
enum Switch {
    Done,
    /// Somebody holds a lock that it needs, or the database is away.
    NotYet(anyhow::Error),
}

impl Rebuild {
    /// Until the new read model serves, or it is told to stop.
    pub async fn run(&self, tell: &(dyn Fn(Told<'_>) + Send + Sync)) -> anyhow::Result<Ended> {
        let database = DbConfig { max_connections: CONNECTIONS, ..self.database.clone() };
        let pool = pool::connect("rebuild", &database);
        let lock = self.lock(&pool).await?;
        let replay = Replay::start(&self.kafka, self.projection.topics).await?;
        let (copy, leftovers) = Copy::create(&pool, &self.projection).await?;
        for leftover in &leftovers {
            tell(Told::Leftover(leftover));
        }
        let filling = Filling::new(self, pool.clone(), &copy, replay);
        let ended = self.fill_and_switch(&pool, &copy, filling, tell).await;
        if !matches!(ended, Ok(Ended::Switched(_)))
            && let Err(error) = copy.drop(&pool).await
        {
            tracing::warn!(%error, schema = copy.schema(), "tables are left behind; the next rebuild drops them");
        }
        // Frees the lock.
        if let Err(error) = lock.detach().close().await {
            tracing::debug!(%error, "the connection that held the lock did not end well");
        }
        pool.close().await;
        ended
    }

    /// Keeps others from the same work for as long as the connection lives. Should it be lost, and somebody else begin, then this
    /// rebuild ends: its tables are dropped.
    async fn lock(&self, pool: &PgPool) -> anyhow::Result<PoolConnection<Postgres>> {
        let mut connection = pool.acquire().await.context("the database does not answer")?;
        // Not at once: the connection of one that has just ended, or was killed, may still be about to end.
        sqlx::query!(r#"SELECT set_config('lock_timeout', $1, false) AS "set!""#, LOCK_TIMEOUT)
            .fetch_one(&mut *connection)
            .await?;
        let name = self.projection.rebuild_lock_name();
        let locked = sqlx::query!("SELECT pg_advisory_lock(hashtextextended($1, 0))", name);
        match locked.execute(&mut *connection).await {
            Ok(_) => Ok(connection),
            Err(error) if is_lock_timeout(&error) => {
                anyhow::bail!("{} is being rebuilt already", self.projection.name)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn fill_and_switch(
        &self,
        pool: &PgPool,
        copy: &Copy<'_>,
        mut filling: Filling<'_>,
        tell: &(dyn Fn(Told<'_>) + Send + Sync),
    ) -> anyhow::Result<Ended> {
        let mut attempts = 0;
        loop {
            if !self.follow(&mut filling, tell).await? {
                return Ok(Ended::Stopped);
            }
            // That may take a while, so what came meanwhile is read before the lock is taken.
            copy.analyze(pool).await?;
            if !self.follow(&mut filling, tell).await? {
                return Ok(Ended::Stopped);
            }
            crash_point!("rebuild.before_switch");
            attempts += 1;
            match self.switch(pool, copy, &mut filling).await? {
                Switch::Done => return Ok(Ended::Switched(filling.totals())),
                Switch::NotYet(error) if attempts < ATTEMPTS => tell(Told::Waiting(&error)),
                Switch::NotYet(error) => {
                    let name = self.projection.name;
                    return Err(
                        error.context(format!("{name} cannot be replaced now; the old one goes on serving"))
                    );
                }
            }
            if self.shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// Until little is left to replay. False when it was told to stop.
    async fn follow(
        &self,
        filling: &mut Filling<'_>,
        tell: &(dyn Fn(Told<'_>) + Send + Sync),
    ) -> anyhow::Result<bool> {
        loop {
            if !filling.read_on(&self.shutdown, tell).await? {
                return Ok(false);
            }
            if filling.note_the_end().await? <= LITTLE {
                return Ok(true);
            }
        }
    }

    async fn switch(
        &self,
        pool: &PgPool,
        copy: &Copy<'_>,
        filling: &mut Filling<'_>,
    ) -> anyhow::Result<Switch> {
        let mut op = common_db::begin(pool).await?;
        if let Some(error) = not_yet(self.lock_alone_in_op(&mut op).await)? {
            return Ok(Switch::NotYet(error.context("a consumer holds it")));
        }
        filling.note_the_end().await?;
        match filling.rest_in_op(&mut op).await? {
            Ok(()) => {}
            Err(HandlerError::Unavailable(error)) => return Ok(Switch::NotYet(error)),
            Err(HandlerError::Failed(error)) => return Err(error),
        }
        if let Some(error) = not_yet(copy.lock_old_in_op(&mut op).await)? {
            return Ok(Switch::NotYet(error.context("somebody reads it")));
        }
        copy.replace_in_op(&mut op).await?;
        crash_point!("rebuild.before_commit");
        op.commit().await.context("whether the new read model serves is not known")?;
        crash_point!("rebuild.after_commit");
        filling.committed();
        Ok(Switch::Done)
    }

    /// Waits until the transactions of consumers have ended, and keeps new ones waiting.
    async fn lock_alone_in_op(&self, op: &mut Op) -> sqlx::Result<()> {
        sqlx::query!(r#"SELECT set_config('lock_timeout', $1, true) AS "set!""#, LOCK_TIMEOUT)
            .fetch_one(&mut **op)
            .await?;
        sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", self.projection.lock_name())
            .execute(&mut **op)
            .await?;
        Ok(())
    }
}

/// Why it has to be tried again, if it has to.
fn not_yet(done: sqlx::Result<()>) -> anyhow::Result<Option<anyhow::Error>> {
    match done {
        Ok(()) => Ok(None),
        Err(error) if constraint::is_transient(&error) => Ok(Some(error.into())),
        Err(error) => Err(error.into()),
    }
}

fn is_lock_timeout(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == "55P03")
}
