//! The binary: reads its command and the environment, sets up telemetry, runs.

use std::process::ExitCode;

use admin_service::{LABEL, NAME, app::App, audit, config::Config};
use clap::{Parser, Subcommand};
use common_db::{migrate::MigrateArgs, pool};
use common_utils::{config::Env, shutdown, telemetry};

/// Support tickets and the audit log.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default).
    Serve,
    /// Bring the database schema up to date.
    Migrate(MigrateArgs),
    /// The audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Recompute the whole hash chain; exit status 1 when it is damaged.
    Verify,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let env = Env::of_process(LABEL);
    let telemetry = telemetry::init(NAME, &env)?;
    let result = run(Cli::parse().command.unwrap_or(Command::Serve), &env).await;
    telemetry.flush();
    result
}

async fn run(command: Command, env: &Env) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => {
            let shutdown = shutdown::on_signal()?;
            let app = App::from_env(env).await?;
            let listener = app.config().listen.bind().await?;
            app.run(listener, shutdown).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(arguments) => {
            arguments.run(&Config::database(env)?, &admin_service::migrations()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Audit(AuditCommand::Verify) => verify(env).await,
    }
}

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn verify(env: &Env) -> anyhow::Result<ExitCode> {
    let result = audit::verify(&pool::connect(NAME, &Config::database(env)?)).await?;
    println!("{}", serde_json::to_string(&result)?);
    Ok(if result.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
