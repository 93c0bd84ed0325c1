//! `identity-service users …`: how an operator on the machine makes staff accounts, the first admin among them.
//!
//! The password comes from standard input or a prompt, never from an argument that others on the machine could read.
//! Exit status: 0 done (or granted before), 1 failure, 2 wrong input, 3 exists already, 4 no such user.

use std::{
    io::{self, BufRead, IsTerminal},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use chrono::SecondsFormat;
use clap::{Args, Subcommand};
use common_auth::{Role, password::Passwords, service_token::ServiceTokens};
use common_db::pool;
use common_utils::{
    clock::SystemClock,
    config::Env,
    contact::{Email, PhoneNumber},
};
use secrecy::{ExposeSecret, SecretString};

use crate::{
    SERVICE_NAME,
    app::AppState,
    auth::{self, error::AuthError, policy::PasswordPolicy},
    config::{Config, PasswordConfig},
    crypto::vault,
    deactivation::{self, DeactivationError},
    erasure::ErasureError,
    factors::error::FactorError,
    import::Import,
    notices::{self, Notices, config::NoticeConfig},
    suspension::{Suspend, Unsuspend},
    users::{
        Identifier, PersonName, Users,
        entity::{NewUser, Outcome},
        error::UserError,
    },
};

/// A password and a line's end fit in; whatever is longer is none.
const LONGEST_LINE: u64 = 4096;

#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Make an account for a member of staff.
    CreateStaff(CreateStaff),
    /// Give a role to somebody who has an account.
    GrantRole(GrantRole),
    /// Take a role away from a member of staff.
    RevokeRole(RevokeRole),
    /// Shut somebody's account, whatever its owner wants.
    Suspend(Suspend),
    /// Open an account again that was suspended.
    Unsuspend(Unsuspend),
    /// Open an account again that its owner deactivated.
    Reactivate(Reactivate),
    /// Take all second factors from somebody who has lost them, and what else signs in as them; ends their sessions.
    ResetFactors(ResetFactors),
    /// Erase somebody on their written request.
    Erase(Erase),
    /// Bring people in from another system, with the hashes of their passwords.
    Import(Import),
}

#[derive(Debug, Args)]
pub struct CreateStaff {
    #[arg(long)]
    email: Email,
    /// International, or Nigerian in its national form.
    #[arg(long)]
    phone: PhoneNumber,
    /// First and last name, for example "Ada Obi".
    #[arg(long, value_parser = full_name)]
    name: (PersonName, PersonName),
    /// support, compliance, finance or admin
    #[arg(long, value_parser = staff_role)]
    role: Role,
    /// Read the password from the first line of standard input instead of asking for it.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct GrantRole {
    #[arg(long)]
    email: Email,
    /// support, compliance, finance or admin
    #[arg(long, value_parser = staff_role)]
    role: Role,
}

#[derive(Debug, Args)]
pub struct RevokeRole {
    #[arg(long)]
    email: Email,
    /// support, compliance, finance or admin
    #[arg(long, value_parser = staff_role)]
    role: Role,
}

#[derive(Debug, Args)]
pub struct Reactivate {
    #[arg(long)]
    email: Email,
}

#[derive(Debug, Args)]
pub struct ResetFactors {
    #[arg(long)]
    email: Email,
}

#[derive(Debug, Args)]
pub struct Erase {
    #[arg(long)]
    email: Email,
}

fn staff_role(name: &str) -> Result<Role, String> {
    match name.parse() {
        Ok(Role::User) | Err(_) => Err("must be one of support, compliance, finance, admin".to_owned()),
        Ok(role) => Ok(role),
    }
}

/// The first word, and the rest.
fn full_name(text: &str) -> Result<(PersonName, PersonName), String> {
    let (first, last) =
        text.trim().split_once(char::is_whitespace).ok_or("must be a first and a last name")?;
    let parse = |part: &str| part.parse::<PersonName>().map_err(|error| error.to_string());
    Ok((parse(first)?, parse(last)?))
}

/// What a command tells its caller.
struct Report {
    message: String,
    exit: u8,
}

impl From<(String, u8)> for Report {
    fn from((message, exit): (String, u8)) -> Self {
        Self { message, exit }
    }
}

impl UsersCommand {
    /// Runs the command on the database that the service uses.
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        let pool = pool::connect(SERVICE_NAME, &Config::database(env)?);
        let users = Users { pool, clock: SystemClock::shared() };
        let report = match self {
            Self::CreateStaff(command) => command.run(&users, env).await?,
            Self::GrantRole(command) => command.run(&users).await?,
            Self::RevokeRole(command) => command.run(&users).await?,
            Self::Suspend(command) => command.run(&state(users, env).await?.suspensions).await?.into(),
            Self::Unsuspend(command) => command.run(&state(users, env).await?.suspensions).await?.into(),
            Self::Reactivate(command) => command.run(&users, env).await?,
            Self::ResetFactors(command) => command.run(users, env).await?,
            Self::Erase(command) => command.run(users, env).await?,
            Self::Import(command) => {
                let (message, whole) = command.run(users.pool, users.clock).await?;
                Report { message, exit: if whole { 0 } else { 2 } }
            }
        };
        if report.exit == 0 {
            println!("{}", report.message);
        } else {
            eprintln!("{}", report.message);
        }
        Ok(ExitCode::from(report.exit))
    }
}

impl CreateStaff {
    async fn run(self, users: &Users, env: &Env) -> anyhow::Result<Report> {
        let PasswordConfig { memory_kib, passes } = PasswordConfig::from_env(env)?;
        let passwords = Passwords::new(memory_kib, passes)?;
        let password = read_password(self.password_stdin)?;
        let (email, role) = (self.email.as_str().to_owned(), self.role.name());
        let (first_name, last_name) = self.name;
        let new = NewUser { email: self.email, phone_number: self.phone, first_name, last_name };
        let policy = PasswordPolicy::new(Config::second_factors(env)?);
        match auth::create_staff(users, (&passwords, policy), new, self.role, password).await {
            Ok(user) => Ok(Report { message: format!("made {role} account {email}: {}", user.id), exit: 0 }),
            Err(AuthError::Weak(weak)) => {
                Ok(Report { message: format!("the password {weak}; nothing was made"), exit: 2 })
            }
            Err(AuthError::User(UserError::EmailTaken)) => Ok(Report {
                message: format!("an account with the e-mail address {email} exists already"),
                exit: 3,
            }),
            Err(AuthError::User(UserError::PhoneTaken)) => {
                Ok(Report { message: "an account with this phone number exists already".to_owned(), exit: 3 })
            }
            Err(error) => Err(error).context("the account could not be made"),
        }
    }
}

impl GrantRole {
    async fn run(self, users: &Users) -> anyhow::Result<Report> {
        let (email, role) = (self.email.as_str().to_owned(), self.role.name());
        match users.grant_role(&Identifier::Email(self.email), self.role).await {
            Ok(Outcome::Executed) => Ok(Report { message: format!("{email} is now {role}"), exit: 0 }),
            Ok(Outcome::AlreadyApplied) => {
                Ok(Report { message: format!("{email} is {role} already"), exit: 0 })
            }
            Err(UserError::NotFound) => Ok(Report {
                message: format!("there is no account with the e-mail address {email}"),
                exit: 4,
            }),
            Err(error) => Err(error).context("the role could not be granted"),
        }
    }
}

impl RevokeRole {
    async fn run(self, users: &Users) -> anyhow::Result<Report> {
        let (email, role) = (self.email.as_str().to_owned(), self.role.name());
        match users.revoke_role(&Identifier::Email(self.email), self.role).await {
            Ok(Outcome::Executed) => Ok(Report { message: format!("{email} is no longer {role}"), exit: 0 }),
            Ok(Outcome::AlreadyApplied) => Ok(Report { message: format!("{email} is not {role}"), exit: 0 }),
            Err(UserError::NotFound) => Ok(Report {
                message: format!("there is no account with the e-mail address {email}"),
                exit: 4,
            }),
            Err(error) => Err(error).context("the role could not be taken away"),
        }
    }
}

impl ResetFactors {
    async fn run(self, users: Users, env: &Env) -> anyhow::Result<Report> {
        let email = self.email.as_str().to_owned();
        match state(users, env).await?.factor_reset.reset(&Identifier::Email(self.email)).await {
            Ok(Outcome::Executed) => {
                Ok(Report { message: format!("{email} logs in with the password alone"), exit: 0 })
            }
            Ok(Outcome::AlreadyApplied) => Ok(Report {
                message: format!("{email} has no second factor, and is signed in nowhere"),
                exit: 0,
            }),
            Err(FactorError::User(UserError::NotFound)) => Ok(Report {
                message: format!("there is no account with the e-mail address {email}"),
                exit: 4,
            }),
            Err(error) => Err(error).context("the second factors could not be taken away"),
        }
    }
}

impl Reactivate {
    async fn run(self, users: &Users, env: &Env) -> anyhow::Result<Report> {
        let email = self.email.as_str().to_owned();
        let (key, config) = (notices::key(&env.keys_dir())?, NoticeConfig::from_env(env)?);
        let notices = Notices::new(users.pool.clone(), Arc::clone(&users.clock), &key, &config)?;
        match deactivation::reactivate(users, &notices, &Identifier::Email(self.email)).await {
            Ok(Outcome::Executed) => Ok(Report { message: format!("{email} is active again"), exit: 0 }),
            Ok(Outcome::AlreadyApplied) => {
                Ok(Report { message: format!("{email} is active already"), exit: 0 })
            }
            Err(DeactivationError::Suspended) => Ok(Report {
                message: format!("{email} is suspended, which its owner has not done; nothing was changed"),
                exit: 2,
            }),
            Err(DeactivationError::User(UserError::NotFound)) => Ok(Report {
                message: format!("there is no account with the e-mail address {email}"),
                exit: 4,
            }),
            Err(error) => Err(error).context("the account could not be opened again"),
        }
    }
}

impl Erase {
    async fn run(self, users: Users, env: &Env) -> anyhow::Result<Report> {
        let email = self.email.as_str().to_owned();
        match state(users, env).await?.erasures.erase_for(&Identifier::Email(self.email)).await {
            Ok(erasure) => {
                let until = erasure.evidence_until.to_rfc3339_opts(SecondsFormat::Secs, true);
                Ok(Report { message: format!("{email} is erased; evidence is kept until {until}"), exit: 0 })
            }
            Err(ErasureError::Suspended) => {
                Ok(Report { message: format!("{email} is suspended; nothing was changed"), exit: 2 })
            }
            Err(ErasureError::User(UserError::NotFound)) => Ok(Report {
                message: format!("there is no account with the e-mail address {email}"),
                exit: 4,
            }),
            Err(error) => Err(error).context("nobody was erased"),
        }
    }
}

/// What the service itself works with.
async fn state(users: Users, env: &Env) -> anyhow::Result<AppState> {
    let config = Config::from_env(env)?;
    vault::require_keys(&users.pool, &config.keys_dir, config.kms.as_ref()).await?;
    let services = ServiceTokens::from_env(env, SERVICE_NAME, Arc::clone(&users.clock))?;
    AppState::new(&config, &users.pool, services, users.clock)
}

fn read_password(from_stdin: bool) -> anyhow::Result<SecretString> {
    if from_stdin {
        return first_line(io::stdin().lock());
    }
    anyhow::ensure!(io::stdin().is_terminal(), "no terminal to ask for a password on: use --password-stdin");
    let password = SecretString::from(rpassword::prompt_password("Password: ")?);
    let again = SecretString::from(rpassword::prompt_password("The same again: ")?);
    anyhow::ensure!(password.expose_secret() == again.expose_secret(), "the two passwords differ");
    Ok(password)
}

fn first_line(input: impl BufRead) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    io::Read::take(input, LONGEST_LINE).read_line(&mut line).context("no password on standard input")?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    Ok(password.strip_suffix('\r').unwrap_or(password).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line_as_it_stands() {
        for (input, password) in [("a b \n", "a b "), ("ab\r\nrest", "ab"), ("ab", "ab"), ("", "")] {
            assert_eq!(first_line(input.as_bytes()).unwrap().expose_secret(), password);
        }
        assert!(first_line([0xff_u8, 0xfe].as_slice()).is_err());
    }

    #[test]
    fn names_have_two_parts_and_staff_a_staff_role() {
        let (first, last) = full_name(" Ada  van Obi ").unwrap();
        assert_eq!((first.as_str(), last.as_str()), ("Ada", "van Obi"));
        assert!(full_name("Ada").is_err() && full_name("").is_err());
        assert!(staff_role("user").is_err() && staff_role("root").is_err());
        assert_eq!(staff_role("admin"), Ok(Role::Admin));
    }
}
