//! What a load costs: processor time by who used it, and what the database wrote to its log.

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::Context;
use common_db::PgPool;

/// The kernel tells processor time in these, on every Linux that we run on.
const TICKS_A_SECOND: u64 = 100;

/// Reads the counters of the machine and of the server behind `pool`, which is on this machine.
#[derive(Debug)]
pub(crate) struct Meter {
    pool: PgPool,
    postmaster: u32,
    /// Other processes that take part, by name.
    parts: Vec<Part>,
}

/// A process that takes part.
pub(crate) type Part = (&'static str, u32);

/// How the counters stood at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    at: Instant,
    postgres: Duration,
    client: Duration,
    parts: Vec<(&'static str, Duration)>,
    machine: Duration,
    stolen: Duration,
    wal: i64,
}

/// What was used between two readings.
#[derive(Debug, Clone)]
pub(crate) struct Cost {
    pub(crate) elapsed: Duration,
    pub(crate) postgres: Duration,
    /// This process, and the children that have ended.
    pub(crate) client: Duration,
    pub(crate) parts: Vec<(&'static str, Duration)>,
    /// Everybody else on this machine, the kernel's own work included, and what its host kept from it.
    pub(crate) others: Duration,
    pub(crate) wal: i64,
}

impl Meter {
    pub(crate) async fn new(pool: PgPool) -> anyhow::Result<Self> {
        let backend: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&pool).await?;
        let postmaster =
            Process::read(u32::try_from(backend)?).context("Postgres has to run on this machine")?.parent;
        Ok(Self { pool, postmaster, parts: Vec::new() })
    }

    /// The same, with processes whose use is to be told apart.
    pub(crate) fn with_parts(&self, parts: Vec<Part>) -> Self {
        Self { pool: self.pool.clone(), parts, ..*self }
    }

    pub(crate) async fn read(&self) -> anyhow::Result<Reading> {
        let wal = sqlx::query_scalar("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint")
            .fetch_one(&self.pool)
            .await?;
        let all = Process::all()?;
        let of = |pid: u32| all.iter().find(|process| process.pid == pid);
        let backends = all.iter().filter(|process| process.parent == self.postmaster);
        let postmaster = of(self.postmaster).context("Postgres is gone")?;
        let postgres = backends.map(|process| process.own).sum::<u64>() + postmaster.with_ended();
        let client = of(std::process::id()).context("/proc shows this process")?.with_ended();
        let parts = self
            .parts
            .iter()
            .map(|(name, pid)| (*name, ticks(of(*pid).map(Process::with_ended).unwrap_or_default())));
        let (machine, stolen) = machine()?;
        Ok(Reading {
            at: Instant::now(),
            postgres: ticks(postgres),
            client: ticks(client),
            parts: parts.collect(),
            machine,
            stolen,
            wal,
        })
    }
}

impl Reading {
    pub(crate) fn since(&self, before: &Self) -> Cost {
        let postgres = self.postgres.saturating_sub(before.postgres);
        let client = self.client.saturating_sub(before.client);
        let parts: Vec<_> = (self.parts.iter().zip(&before.parts))
            .map(|((name, after), (_, before))| (*name, after.saturating_sub(*before)))
            .collect();
        let ours = postgres + client + parts.iter().map(|(_, used)| *used).sum::<Duration>();
        let busy = self.machine.saturating_sub(before.machine) + self.stolen.saturating_sub(before.stolen);
        Cost {
            elapsed: self.at - before.at,
            postgres,
            client,
            parts,
            others: busy.saturating_sub(ours),
            wal: self.wal - before.wal,
        }
    }
}

impl Cost {
    /// Of one of the parts.
    pub(crate) fn of(&self, name: &str) -> Duration {
        self.parts.iter().filter(|(part, _)| *part == name).map(|(_, used)| *used).sum()
    }

    /// How much of the machine was not ours to measure with, of 1.
    pub(crate) fn others_share(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1.0, |count| count.get() as f64);
        self.others.as_secs_f64() / self.elapsed.as_secs_f64() / cores
    }
}

/// A line of `/proc/<pid>/stat`.
#[derive(Debug)]
struct Process {
    pid: u32,
    parent: u32,
    /// In ticks.
    own: u64,
    /// Of children that have ended and were waited for.
    ended: u64,
}

impl Process {
    fn all() -> anyhow::Result<Vec<Self>> {
        let names = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        Ok(names.filter_map(|name| Self::read(name.parse().ok()?)).collect())
    }

    /// None for one that has ended.
    fn read(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name is in parentheses and may hold anything.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }

    fn with_ended(&self) -> u64 {
        self.own + self.ended
    }
}

/// What all processors did, and what the host kept for others.
fn machine() -> anyhow::Result<(Duration, Duration)> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields: Vec<u64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    let [user, nice, system, _idle, _waiting, interrupts, softly, stolen, ..] = fields[..] else {
        anyhow::bail!("/proc/stat does not begin as expected");
    };
    Ok((ticks(user + nice + system + interrupts + softly), ticks(stolen)))
}

fn ticks(count: u64) -> Duration {
    Duration::from_millis(count * 1_000 / TICKS_A_SECOND)
}
