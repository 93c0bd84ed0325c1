//! `identity-service users import`.

use std::{
    fs::File,
    io::{self, BufReader},
    path::PathBuf,
};

use anyhow::Context;
use clap::Args;
use common_db::PgPool;
use common_utils::clock::SharedClock;

use super::{Importing, Tally};

#[derive(Debug, Args)]
pub struct Import {
    /// One JSON object a line: email, phoneNumber, firstName, lastName, passwordHash (bcrypt or argon2id), and, where known,
    /// emailVerified, phoneVerified, createdAt. Without a file, standard input.
    file: Option<PathBuf>,
    /// Only look whether all lines can be read.
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    /// What to tell, and whether all lines could be read.
    #[expect(clippy::print_stderr, reason = "a command for people")]
    pub(crate) async fn run(self, pool: PgPool, clock: SharedClock) -> anyhow::Result<(String, bool)> {
        let importing = Importing { pool, clock, dry: self.dry_run };
        let told = |number: usize, reason: &str| eprintln!("line {number}: {reason}");
        let tally = if let Some(path) = self.file {
            let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            importing.run(BufReader::new(file), told).await?
        } else {
            importing.run(BufReader::new(io::stdin()), told).await?
        };
        let Tally { imported, there_already, wrong } = tally;
        let did = if self.dry_run { "could be imported" } else { "imported" };
        Ok((
            format!("{imported} people {did}, {there_already} were there already, {wrong} lines are wrong"),
            wrong == 0,
        ))
    }
}
