//! What can be asked for, and how long each load runs.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::{Parser, Subcommand};

use crate::{load::Timing, meter::Part};

const SERVERS: [&str; 2] = ["kafka", "redis"];

#[derive(Debug, Parser)]
#[command(about = "Measures the platform beside its yardsticks", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Short loads on small data, to see that everything works. What they say is printed and not kept.
    #[arg(long, global = true)]
    pub(crate) quick: bool,
    /// Only the loads whose name has this in it. Printed and not kept.
    #[arg(long, global = true)]
    pub(crate) only: Option<String>,
    /// How long each load of `transfers` is measured, in seconds: to see whether memory grows. Printed and not kept.
    #[arg(long, global = true)]
    pub(crate) seconds: Option<u64>,
    /// The document whose section is replaced by what was measured.
    #[arg(long, global = true, env = "BENCH_DOCUMENT", default_value = "docs/benchmarks.md")]
    pub(crate) document: PathBuf,
    /// Postgres' own benchmark.
    #[arg(long, global = true, env = "PGBENCH", default_value = "pgbench")]
    pub(crate) pgbench: PathBuf,
    /// Where the platform's processes log.
    #[arg(long, global = true, env = "BENCH_LOGS", default_value = ".")]
    pub(crate) logs: PathBuf,
    /// Servers that take part beside Postgres, as `name=pid`.
    #[arg(long = "part", global = true, env = "BENCH_PARTS", value_delimiter = ' ', value_parser = part)]
    pub(crate) parts: Vec<(String, u32)>,
}

fn part(text: &str) -> anyhow::Result<(String, u32)> {
    let (name, pid) = text.split_once('=').context("write name=pid")?;
    Ok((name.to_owned(), pid.parse()?))
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// The posting engine in this process, beside one database transaction a posting.
    Ledger,
    /// Transfers over HTTP, through the gateway, in one process and in several.
    Transfers,
    /// What customers read, on a ledger with a past.
    Reads,
    /// Events from an outbox to their effect, beside a plain producer and consumer.
    Events,
    /// The same postings and reads on ledgers of growing size, and monthly partitions beside one table.
    Scale,
    /// Checking tokens and logging in, beside bare argon2.
    Auth,
}

impl Options {
    /// For what is over in a millisecond.
    pub(crate) fn short_timing(&self) -> Timing {
        let (warm_up, measured) = if self.quick { (1, 1) } else { (2, 4) };
        Timing { warm_up: Duration::from_secs(warm_up), measured: Duration::from_secs(measured) }
    }

    pub(crate) fn timing(&self) -> Timing {
        let (warm_up, measured) = if self.quick { (1, 3) } else { (4, 12) };
        Timing { warm_up: Duration::from_secs(warm_up), measured: Duration::from_secs(measured) }
    }

    /// Of transfers.
    pub(crate) fn load_timing(&self) -> Timing {
        let timing = self.timing();
        Timing { measured: self.seconds.map_or(timing.measured, Duration::from_secs), ..timing }
    }

    /// Servers that the benchmark did not start, as parts of what is measured.
    pub(crate) fn servers(&self) -> Vec<Part> {
        let named = |name: &str| SERVERS.into_iter().find(|server| *server == name);
        self.parts.iter().filter_map(|(name, pid)| Some((named(name)?, *pid))).collect()
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|part| name.contains(part))
    }

    /// Whether what was measured is worth keeping.
    pub(crate) fn keeps(&self) -> bool {
        !self.quick && self.only.is_none() && self.seconds.is_none()
    }
}
