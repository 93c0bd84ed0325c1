//! wallet-service as a process of its own: configuration, logs, one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common_db::migrate::MigrateArgs;
use common_utils::{config::Env, shutdown, telemetry};
use wallet_service::{
    App, SERVICE, SERVICE_NAME,
    cli::{DepositsCommand, LedgerCommand},
    config::Config,
    migrations,
};

#[derive(Debug, Parser)]
#[command(name = SERVICE_NAME, about = "Wallets and the ledger behind them", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Default, Subcommand)]
enum Command {
    /// Serve until told to stop; this is what happens without a command.
    #[default]
    Serve,
    /// Bring the database's schema up to date.
    Migrate(MigrateArgs),
    /// Look after the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Look after deposits that no wallet took.
    #[command(subcommand)]
    Deposits(DepositsCommand),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let env = Env::of_process(SERVICE);
    let telemetry = telemetry::init(SERVICE_NAME, &env)?;
    let outcome = run(cli.command.unwrap_or_default(), &env).await;
    telemetry.flush();
    outcome
}

async fn run(command: Command, env: &Env) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => {
            let app = App::from_env(env).await?;
            let listener = app.config().listen.bind().await?;
            app.run(listener, shutdown::on_signal()?).await?;
        }
        Command::Migrate(args) => args.run(&Config::database(env)?, &migrations()).await?,
        Command::Ledger(command) => return command.run(env).await,
        Command::Deposits(command) => command.run(env).await?,
    }
    Ok(ExitCode::SUCCESS)
}
