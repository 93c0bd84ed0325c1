//! `admin-service audit …`: how an operator on the machine looks after the audit log.

use std::process::ExitCode;

use clap::Subcommand;
use common_db::pool;
use common_utils::config::Env;

use crate::{SERVICE_NAME, audit, config::Config};

#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Recompute the whole hash chain; exit status 1 when it is damaged.
    Verify,
}

impl AuditCommand {
    /// Runs the command on the database that the service uses.
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        match self {
            Self::Verify => verify(env).await,
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn verify(env: &Env) -> anyhow::Result<ExitCode> {
    let result = audit::verify(&pool::connect(SERVICE_NAME, &Config::database(env)?)).await?;
    println!("{}", serde_json::to_string(&result)?);
    Ok(if result.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
