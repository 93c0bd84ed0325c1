//! identity-service as a process of its own: configuration, logs, run.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common_db::migrate::MigrateArgs;
use common_utils::{config::Env, shutdown, telemetry};
use identity_service::{App, SERVICE, SERVICE_NAME, cli::UsersCommand, config, migrations};

#[derive(Debug, Parser)]
#[command(name = SERVICE_NAME, about = "Registering, logging in, sessions and verification of people", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (what happens without a command, too).
    Serve,
    /// Bring the database's schema up to date.
    Migrate(MigrateArgs),
    /// Accounts of staff.
    #[command(subcommand)]
    Users(UsersCommand),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let env = Env::of_process(SERVICE);
    let telemetry = telemetry::init(SERVICE_NAME, &env)?;
    let outcome = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&env).await.map(|()| ExitCode::SUCCESS),
        Command::Migrate(args) => {
            args.run(&config::database(&env)?, &migrations()).await.map(|()| ExitCode::SUCCESS)
        }
        Command::Users(command) => command.run(&env).await,
    };
    telemetry.flush();
    outcome
}

async fn serve(env: &Env) -> anyhow::Result<()> {
    let app = App::from_env(env).await?;
    let listener = app.listen().bind().await?;
    app.run(listener, shutdown::on_signal()?).await
}
