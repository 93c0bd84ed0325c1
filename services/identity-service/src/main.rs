//! identity-service as a process of its own: configuration, logs, one command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use common_db::migrate::MigrateArgs;
use common_utils::{config::Env, shutdown, telemetry};
use identity_service::{
    App, SERVICE, SERVICE_NAME, cli::UsersCommand, config::Config, keys::KeysCommand, migrations,
};

#[derive(Debug, Parser)]
#[command(name = SERVICE_NAME, about = "Registering, logging in, sessions and verification of people", version)]
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
    /// Accounts of staff.
    #[command(subcommand)]
    Users(UsersCommand),
    /// The keys that sign access tokens, those that sign the tokens of services, and those of personal data.
    Keys(KeysCommand),
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let env = Env::of_process(SERVICE);
    let telemetry = telemetry::init(SERVICE_NAME, &env)?;
    // A service that is put together is too large for the stack.
    let outcome = Box::pin(run(cli.command.unwrap_or_default(), &env)).await;
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
        Command::Users(command) => return command.run(env).await,
        Command::Keys(command) => return command.run(env).await,
    }
    Ok(ExitCode::SUCCESS)
}
