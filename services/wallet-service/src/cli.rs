//! `wallet-service ledger …`: how an operator on the machine looks after the ledger.

use std::process::ExitCode;

use clap::Subcommand;
use common_db::pool;
use common_utils::config::Env;

use crate::{
    SERVICE_NAME,
    config::Config,
    ledger::{self, AccountId},
};

#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Recompute every balance from the entries and compare; exit status 1 when anything differs.
    Verify {
        /// Only this account, which has the id of its wallet.
        #[arg(long)]
        account: Option<AccountId>,
    },
}

impl LedgerCommand {
    /// Runs the command on the database that the service uses.
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        match self {
            Self::Verify { account } => verify(env, account).await,
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn verify(env: &Env, account: Option<AccountId>) -> anyhow::Result<ExitCode> {
    let pool = pool::connect(SERVICE_NAME, &Config::database(env)?);
    let report = ledger::verify::verify(&pool, account).await?;
    if let Some(account) = account.filter(|_| report.counted.accounts == 0) {
        anyhow::bail!("there is no account {account}");
    }
    println!("{report}");
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
