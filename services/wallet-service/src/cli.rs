//! `wallet-service ledger …` and `wallet-service deposits …`: how an operator on the machine looks after the ledger, and after
//! money that no wallet took.

use std::{process::ExitCode, sync::Arc};

use clap::Subcommand;
use common_db::{PgPool, pool};
use common_limits::Limits;
use common_utils::{clock::SystemClock, config::Env};
use uuid::Uuid;

use crate::{
    SERVICE_NAME,
    config::Config,
    ledger::{self, AccountId, Ledger},
    webhooks::{
        BankReference, Parking,
        parked::{self, Decided, Listed},
    },
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

#[derive(Debug, Subcommand)]
pub enum DepositsCommand {
    /// List the deposits that wait on the suspense account, oldest first, with why their wallets did not take them.
    Parked,
    /// Release one into its wallet, if it fits and the wallet takes money.
    Release {
        /// As the list has it.
        id: Uuid,
    },
    /// Write down that one goes back to its bank. Only then have the bank send it, under the same reference.
    Return {
        /// As the list has it.
        id: Uuid,
        /// Under which the bank is going to send it.
        #[arg(long)]
        bank_reference: BankReference,
    },
}

impl DepositsCommand {
    /// Runs the command on the database that the service uses.
    pub async fn run(self, env: &Env) -> anyhow::Result<()> {
        let pool = pool::connect(SERVICE_NAME, &Config::database(env)?);
        match self {
            Self::Parked => list_parked(&pool).await?,
            Self::Release { id } => say(id, "released", parking(pool, env)?.release(id).await?),
            Self::Return { id, bank_reference } => {
                say(id, "returned", parking(pool, env)?.give_back(id, &bank_reference).await?);
            }
        }
        Ok(())
    }
}

fn parking(pool: PgPool, env: &Env) -> anyhow::Result<Parking> {
    let clock = SystemClock::shared();
    let ledger = Arc::new(Ledger::start(pool.clone(), Arc::clone(&clock)));
    Ok(Parking { pool, clock, limits: Limits::from_env(env)?, ledger })
}

#[expect(clippy::print_stdout, reason = "a command for people")]
fn say(id: Uuid, what: &str, decided: Decided) {
    match decided {
        Decided::Executed => println!("deposit {id} is {what}"),
        Decided::AlreadyApplied => println!("deposit {id} was {what} before; nothing was changed"),
    }
}

const LINES_AT_ONCE: i64 = 500;

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn list_parked(pool: &PgPool) -> anyhow::Result<()> {
    let (mut after, mut count) = (Uuid::nil(), 0);
    loop {
        let page = parked::list(pool, after, LINES_AT_ONCE).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        count += page.len();
        for deposit in &page {
            println!("{}", line(deposit));
        }
    }
    println!("{count} deposits wait");
    Ok(())
}

fn line(deposit: &Listed) -> String {
    let Listed { id, since, wallet_id, amount, currency, reason, provider, reference } = deposit;
    format!(
        "{id}  {since}  wallet {wallet_id}  {amount} {currency} minor units  {reason}  {provider} {reference}"
    )
}
