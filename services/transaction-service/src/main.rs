//! transaction-service as a process of its own: configuration, logs, one command.

use clap::{Parser, Subcommand};
use common_db::migrate::MigrateArgs;
use common_utils::{config::Env, shutdown, telemetry};
use transaction_service::{SERVICE, SERVICE_NAME, app::App, config::Config};

#[derive(Debug, Parser)]
#[command(name = "transaction-service", about = "Movements of money between wallets.")]
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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let env = Env::of_process(SERVICE);
    let telemetry = telemetry::init(SERVICE_NAME, &env)?;
    let outcome = match cli.command.unwrap_or_default() {
        Command::Serve => serve(&env).await,
        Command::Migrate(args) => {
            args.run(&Config::from_env(&env)?.database, &transaction_service::migrations()).await
        }
    };
    telemetry.flush();
    outcome
}

async fn serve(env: &Env) -> anyhow::Result<()> {
    let app = App::from_env(env).await?;
    let listener = app.config().listen.bind().await?;
    tracing::info!(address = %listener.local_addr()?, "transaction-service listens");
    app.run(listener, shutdown::on_signal()?).await
}
