//! `standalone [serve]`, `standalone demo`, `standalone openapi`.

use clap::{Parser, Subcommand};
use common_utils::{config::Env, shutdown, telemetry};
use standalone::{contract, demo, platform};

#[derive(Debug, Parser)]
#[command(about = "The wallet platform in one process", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves all four services and the gateway; this is what happens without a command.
    Serve,
    /// Plays the main job against a running platform and shows each step.
    Demo(demo::Options),
    /// Prints the merged OpenAPI document of the four services.
    Openapi,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().command.unwrap_or(Command::Serve) {
        Command::Serve => serve().await,
        Command::Demo(options) => demo::play(&options).await,
        Command::Openapi => contract::print(),
    }
}

async fn serve() -> anyhow::Result<()> {
    let env = Env::of_process("standalone");
    let telemetry = telemetry::init("wallet-platform", &env)?;
    let served = platform::serve(&env, shutdown::on_signal()?).await;
    telemetry.flush();
    served
}
