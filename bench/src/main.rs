//! What `./scripts/bench.sh` runs: loads on the real thing, each beside its yardsticks, and the books verified after it.
//!
//! It measures what was built for release, on a Postgres that keeps what it commits; anything else is refused.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "rates and ratios of counts, shown to people; no money is reckoned here"
)]

mod database;
mod latency;
mod ledger;
mod load;
mod machine;
mod meter;
mod naive;
mod options;
mod quiet;
mod report;
mod table;
mod yardstick;

use clap::Parser;
use options::{Command, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.command {
        Command::Ledger => ledger::run(&options).await,
    }
}
