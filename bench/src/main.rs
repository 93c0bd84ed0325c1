//! What `./scripts/bench.sh` runs: loads on the real thing, each beside its yardsticks, and the books verified after it.
//!
//! It measures what was built for release, on a Postgres that keeps what it commits; anything else is refused.

#![expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "rates and ratios of counts, shown to people; no money is reckoned here"
)]

mod auth;
mod client;
mod database;
mod events;
mod history;
mod keys;
mod latency;
mod ledger;
mod lists;
mod load;
mod machine;
mod memory;
mod meter;
mod naive;
mod options;
mod partitions;
mod people;
mod platform;
mod quiet;
mod reads;
mod report;
mod scale;
mod sections;
mod served;
mod signed_in;
mod strangers;
mod table;
mod transfers;
mod yardstick;

use clap::Parser;
use options::{Command, Options};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match options.command {
        Command::Ledger => ledger::run(&options).await,
        Command::Transfers => transfers::run(&options).await,
        Command::Reads => reads::run(&options).await,
        Command::Events => events::run(&options).await,
        Command::Scale => scale::run(&options).await,
        Command::Auth => auth::run(&options).await,
    }
}
