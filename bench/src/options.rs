//! What can be asked for, and how long each load runs.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

use crate::load::Timing;

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
    /// The document whose section is replaced by what was measured.
    #[arg(long, global = true, env = "BENCH_DOCUMENT", default_value = "docs/benchmarks.md")]
    pub(crate) document: PathBuf,
    /// Postgres' own benchmark.
    #[arg(long, global = true, env = "PGBENCH", default_value = "pgbench")]
    pub(crate) pgbench: PathBuf,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// The posting engine in this process, beside one database transaction a posting.
    Ledger,
}

impl Options {
    pub(crate) fn timing(&self) -> Timing {
        let (warm_up, measured) = if self.quick { (1, 3) } else { (4, 12) };
        Timing { warm_up: Duration::from_secs(warm_up), measured: Duration::from_secs(measured) }
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|part| name.contains(part))
    }

    /// Whether what was measured is worth keeping.
    pub(crate) fn keeps(&self) -> bool {
        !self.quick && self.only.is_none()
    }
}
