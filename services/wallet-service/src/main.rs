//! wallet-service as a process of its own: configuration, logs, one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common_db::{migrate::MigrateArgs, pool};
use common_utils::{config::Env, shutdown, telemetry};
use wallet_service::{
    SERVICE, SERVICE_NAME,
    app::App,
    config::Config,
    ledger::{self, AccountId},
};

#[derive(Debug, Parser)]
#[command(name = "wallet-service", about = "Wallets and the ledger behind them.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Default, Subcommand)]
enum Command {
    /// Serve until told to stop.
    #[default]
    Serve,
    /// Bring the database's schema up to date.
    Migrate(MigrateArgs),
    /// Look after the ledger.
    #[command(subcommand)]
    Ledger(LedgerCommand),
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Recompute every balance from the entries and compare; exit status 1 when anything differs.
    Verify {
        /// Only this account, which has the id of its wallet.
        #[arg(long)]
        account: Option<AccountId>,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let env = Env::of_process(SERVICE);
    let telemetry = telemetry::init(SERVICE_NAME, &env)?;
    let outcome = match cli.command.unwrap_or_default() {
        Command::Serve => serve(&env).await.map(|()| ExitCode::SUCCESS),
        Command::Migrate(args) => migrate(&env, args).await.map(|()| ExitCode::SUCCESS),
        Command::Ledger(LedgerCommand::Verify { account }) => verify(&env, account).await,
    };
    telemetry.flush();
    outcome
}

async fn migrate(env: &Env, args: MigrateArgs) -> anyhow::Result<()> {
    args.run(&Config::from_env(env)?.database, &wallet_service::migrations()).await
}

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn verify(env: &Env, account: Option<AccountId>) -> anyhow::Result<ExitCode> {
    let pool = pool::connect(SERVICE, &Config::from_env(env)?.database);
    let report = ledger::verify::verify(&pool, account).await?;
    if let Some(account) = account.filter(|_| report.counted.accounts == 0) {
        anyhow::bail!("there is no account {account}");
    }
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn serve(env: &Env) -> anyhow::Result<()> {
    let app = App::from_env(env).await?;
    let listener = app.config().listen.bind().await?;
    tracing::info!(address = %listener.local_addr()?, "wallet-service listens");
    app.run(listener, shutdown::on_signal()?).await
}
