//! `identity-service users suspend` and `unsuspend`.

use anyhow::Context;
use clap::Args;
use common_utils::contact::Email;

use super::{SuspensionError, Suspensions};
use crate::users::{Identifier, entity::Outcome, error::UserError};

#[derive(Debug, Args)]
pub struct Suspend {
    #[arg(long)]
    email: Email,
}

#[derive(Debug, Args)]
pub struct Unsuspend {
    #[arg(long)]
    email: Email,
}

impl Suspend {
    /// What to tell, and the exit status.
    pub(crate) async fn run(self, suspensions: &Suspensions) -> anyhow::Result<(String, u8)> {
        let email = self.email.as_str().to_owned();
        let done = suspensions.suspend(&Identifier::Email(self.email)).await;
        told(done, &email, ("is suspended", "is suspended already")).context("nobody was suspended")
    }
}

impl Unsuspend {
    /// What to tell, and the exit status.
    pub(crate) async fn run(self, suspensions: &Suspensions) -> anyhow::Result<(String, u8)> {
        let email = self.email.as_str().to_owned();
        let done = suspensions.unsuspend(&Identifier::Email(self.email)).await;
        told(done, &email, ("is active again", "is active already")).context("nobody was let in again")
    }
}

fn told(
    done: Result<Outcome, SuspensionError>,
    email: &str,
    (executed, before): (&str, &str),
) -> anyhow::Result<(String, u8)> {
    match done {
        Ok(Outcome::Executed) => Ok((format!("{email} {executed}"), 0)),
        Ok(Outcome::AlreadyApplied) => Ok((format!("{email} {before}"), 0)),
        Err(SuspensionError::Closed) => {
            Ok((format!("{email} was closed by its owner; nothing was changed"), 2))
        }
        Err(SuspensionError::User(UserError::NotFound)) => {
            Ok((format!("there is no account with the e-mail address {email}"), 4))
        }
        Err(error) => Err(error.into()),
    }
}
