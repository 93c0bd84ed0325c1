//! `identity-service keys …`: how an operator on the machine rotates the keys that sign access tokens, or with `--service` those of
//! one service's tokens, and how instances that run come to know of it. `keys pii …` is in `crypto::command`.
//!
//! Exit status: 0 done, 1 failure, 2 refused, with the reason.

use std::{process::ExitCode, sync::Arc, time::Duration};

use chrono::{SecondsFormat, TimeDelta};
use clap::{Args, Subcommand};
use common_auth::{
    key_ring::{KeyRing, KeyState, PlanError},
    service_token,
    verify::TokenVerifier,
};
use common_utils::{clock::SystemClock, config::Env};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, crypto::command::PiiCommand, sessions::Signer};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Who checks tokens keeps the published keys for 5 minutes, and a gateway has to be told.
const SHORTEST_OVERLAP: i64 = 6;
const TELL_THE_GATEWAY: &str = "have the gateway read the keys";
const READ_BY_THEMSELVES: &str =
    "the services read the keys, where they share the folder; copy the public file, where they do not";

#[derive(Debug, Args)]
pub struct KeysCommand {
    /// The keys of the tokens of this service, in the place of those of access tokens.
    #[arg(long, global = true, value_name = "NAME", value_parser = ["identity-service", "wallet-service", "transaction-service", "admin-service"])]
    service: Option<String>,
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, Subcommand)]
enum Which {
    #[command(flatten)]
    Signing(Action),
    /// The master keys of personal data.
    #[command(subcommand)]
    Pii(PiiCommand),
}

impl KeysCommand {
    /// Runs the command on the keys that the service uses.
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        match self.which {
            Which::Signing(action) => Signing { service: self.service, action }.run(env),
            Which::Pii(_) if self.service.is_some() => anyhow::bail!("--service is for keys that sign"),
            Which::Pii(command) => command.run(env).await,
        }
    }
}

/// The keys that sign: access tokens, or the tokens of a service.
struct Signing {
    service: Option<String>,
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the keys and what each does.
    List,
    /// Publish a new key, which signs after a while.
    Rotate(Rotate),
    /// Take a key away at once: what it has signed is not believed any more.
    Retire(Retire),
}

#[derive(Debug, Args)]
struct Rotate {
    /// Minutes from now until the new key signs; at least 6, so that all have heard of it.
    #[arg(long, value_name = "MINUTES", default_value_t = 15, value_parser = clap::value_parser!(i64).range(SHORTEST_OVERLAP..=7 * 24 * 60))]
    after: i64,
    /// Sign with it at once: when the present key is not to be trusted. Calls fail until the gateway has the new one.
    #[arg(long, conflicts_with = "after")]
    now: bool,
}

#[derive(Debug, Args)]
struct Retire {
    /// Its name, as `list` shows it; it may begin with a `-` (RFC 7638 in base64url).
    #[arg(allow_hyphen_values = true)]
    kid: String,
}

impl Signing {
    #[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]
    fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        let Some(ring) = self.ring(env)? else {
            eprintln!("JWT_SECRET signs access tokens here; there are no keys");
            return Ok(ExitCode::from(2));
        };
        let reader = if self.service.is_some() { READ_BY_THEMSELVES } else { TELL_THE_GATEWAY };
        match self.action.told(&ring, reader) {
            Ok(text) => {
                println!("{text}");
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if error.is::<PlanError>() => {
                eprintln!("{error}");
                Ok(ExitCode::from(2))
            }
            Err(error) => Err(error),
        }
    }

    fn ring(&self, env: &Env) -> anyhow::Result<Option<KeyRing>> {
        let (folder, lifetime) = if let Some(service) = &self.service {
            (service_token::folder(env).join(service), service_token::lifetime())
        } else {
            let config = Config::from_env(env)?;
            if config.tokens.secret.is_some() {
                return Ok(None);
            }
            (config.keys_dir, TimeDelta::from_std(config.tokens.access_lifetime)?)
        };
        KeyRing::load_or_create(&folder, SystemClock::shared(), lifetime).map(Some)
    }
}

impl Action {
    fn told(self, ring: &KeyRing, reader: &str) -> anyhow::Result<String> {
        match self {
            Self::List => {
                let lines = ring
                    .list()
                    .into_iter()
                    .map(|(key, state)| format!("{}  {}", key.kid, said(state, &key.signs_from)));
                Ok(lines.collect::<Vec<_>>().join("\n"))
            }
            Self::Rotate(Rotate { after, now }) => {
                let planned = ring.rotate(TimeDelta::minutes(if now { 0 } else { after }))?;
                let from = planned.signs_from.to_rfc3339_opts(SecondsFormat::Secs, true);
                Ok(format!("{} signs from {from} on; before that, {reader}", planned.kid))
            }
            Self::Retire(Retire { kid }) => {
                ring.retire(&kid)?;
                Ok(format!("{kid} is gone; {reader}"))
            }
        }
    }
}

fn said(state: KeyState, signs_from: &chrono::DateTime<chrono::Utc>) -> String {
    let time = |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    match state {
        KeyState::Next => format!("next, signs from {}", time(signs_from)),
        KeyState::Signing => "signing".to_owned(),
        KeyState::Verifying { until } => format!("verifying until {}", time(&until)),
        KeyState::Over => "over; the next rotation removes it".to_owned(),
    }
}

/// Looks at the key files until `shutdown`, so that a rotation needs no restart.
pub(crate) async fn keep_fresh(signer: Signer, tokens: Arc<TokenVerifier>, shutdown: CancellationToken) {
    let Signer::Keys(keys) = signer else { return };
    let mut tick = tokio::time::interval(LOOK_EVERY);
    while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
        let reading = Arc::clone(&keys);
        match tokio::task::spawn_blocking(move || reading.reload()).await {
            Ok(Ok(())) => tokens.learn(&keys.published()),
            // What was read before goes on to sign.
            Ok(Err(error)) => {
                tracing::error!(error = format!("{error:#}"), "the keys of access tokens cannot be read");
            }
            Err(error) => tracing::error!(%error, "the keys of access tokens cannot be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Action, KeysCommand, Retire, Which};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        command: KeysCommand,
    }

    #[test]
    fn a_key_whose_name_looks_like_an_option_can_be_retired() {
        let cli = Cli::try_parse_from(["keys", "retire", "-pzM8", "--service", "wallet-service"]).unwrap();
        assert_eq!(cli.command.service.as_deref(), Some("wallet-service"));
        assert!(
            matches!(cli.command.which, Which::Signing(Action::Retire(Retire { kid })) if kid == "-pzM8")
        );
    }
}
