//! `identity-service keys pii …`: how an operator on the machine replaces the master key of personal data, while the service runs.
//!
//! Exit status: 0 done, 1 failure, 2 refused, with the reason.

use std::process::ExitCode;

use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use common_db::pool;
use common_utils::{clock::SystemClock, config::Env};

use super::{
    rotation::{Duty, RetireError},
    vault::{self, Vault},
};
use crate::{SERVICE_NAME, config::Config};

#[derive(Debug, Subcommand)]
pub(crate) enum PiiCommand {
    /// Show the master keys, and how many people's keys are wrapped under each.
    List,
    /// Make a new master key, under which keys are wrapped from now on.
    Rotate,
    /// Wrap all people's keys under the newest master key; broken off, it is repeated.
    Rewrap,
    /// Take a master key away under which nothing is wrapped any more.
    Retire(Retire),
}

#[derive(Debug, Args)]
pub(crate) struct Retire {
    /// Its name, as `list` shows it.
    id: String,
}

impl PiiCommand {
    /// Runs the command on the keys and the database that the service uses.
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]
    pub(crate) async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        let (keys_dir, kms) = (env.keys_dir(), Config::kms(env)?);
        let pool = pool::connect(SERVICE_NAME, &Config::database(env)?);
        vault::require_keys(&pool, &keys_dir, kms.as_ref()).await?;
        let vault = Vault::new(pool, SystemClock::shared(), &keys_dir, kms.as_ref())?;
        match self {
            Self::List => {
                for master in vault.masters().await? {
                    println!("{}  {}", master.id, said(master.duty));
                }
            }
            Self::Rotate => println!("{} wraps new keys; `rewrap` wraps the others", vault.rotate().await?),
            Self::Rewrap => {
                let progress = vault.rewrap().await?;
                println!("{} keys were wrapped anew", progress.rewrapped);
                if progress.unreadable > 0 {
                    eprintln!("{} keys cannot be opened; the log names whose", progress.unreadable);
                    return Ok(ExitCode::FAILURE);
                }
            }
            Self::Retire(Retire { id }) => match vault.retire(&id).await {
                Ok(()) => println!("{id} is gone"),
                Err(RetireError::Pii(error)) => return Err(error.into()),
                Err(refused) => {
                    eprintln!("{refused}");
                    return Ok(ExitCode::from(2));
                }
            },
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn said(duty: Duty) -> String {
    match duty {
        Duty::Wraps(keys) => format!("wraps new keys, {keys} so far"),
        Duty::Opens(keys) => format!("opens {keys} keys"),
        Duty::Retired(at) => format!("retired at {}", at.to_rfc3339_opts(SecondsFormat::Secs, true)),
        Duty::FindsValues => "finds stored values".to_owned(),
    }
}
