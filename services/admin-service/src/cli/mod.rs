//! `admin-service audit|topics|events|projection …`: how an operator looks after the audit log, the topics and what goes through
//! them, and the read models.

mod projection;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use common_db::pool;
use common_events::{
    KafkaConfig,
    tail::{Filter, Seen, Tail},
    topics::{self, Change, Partitions},
};
use common_utils::{config::Env, shutdown};

pub use self::projection::ProjectionCommand;
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

#[derive(Debug, Subcommand)]
pub enum TopicsCommand {
    /// Show how the topics differ from what is declared; exit status 1 when they do.
    Diff,
    /// Bring the topics up to what is declared; exit status 1 when something of it was refused.
    Apply {
        /// Add partitions, too. Keys move then: let consumers catch up before, while nothing is published.
        #[arg(long)]
        add_partitions: bool,
    },
}

impl TopicsCommand {
    /// Runs the command on the cluster that the service uses.
    #[expect(clippy::print_stdout, reason = "a command for people")]
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        let kafka = KafkaConfig::from_env(env, SERVICE_NAME)?;
        let (changes, fine): (_, fn(&[Change]) -> bool) = match self {
            Self::Diff => (topics::differences(&kafka).await?, |changes| changes.is_empty()),
            Self::Apply { add_partitions } => {
                let growth = if add_partitions { Partitions::MayGrow } else { Partitions::AsTheyAre };
                (topics::apply(&kafka, growth).await?, |changes| !changes.iter().any(Change::is_refused))
            }
        };
        for change in &changes {
            println!("{change}");
        }
        if changes.is_empty() {
            println!("the topics are as they are declared");
        }
        Ok(if fine(&changes) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(Debug, Subcommand)]
pub enum EventsCommand {
    /// Show events as they are published, a line each, until Ctrl-C. They may hold personal data.
    Tail(TailArgs),
}

#[derive(Debug, Args)]
pub struct TailArgs {
    /// Only events of this type; `*` stands for any letters: `wallet.*`.
    #[arg(long = "type")]
    kind: Option<String>,
    /// Only events about this: the id of a person, a wallet, a transaction.
    #[arg(long)]
    key: Option<String>,
    /// All that were ever published, and then what comes.
    #[arg(long)]
    from_beginning: bool,
    /// Whole messages as they are, instead of what is most worth reading.
    #[arg(long)]
    json: bool,
}

impl EventsCommand {
    /// Runs until it is told to stop.
    #[expect(clippy::print_stdout, reason = "a command for people")]
    pub async fn run(self, env: &Env) -> anyhow::Result<()> {
        let Self::Tail(args) = self;
        let kafka = KafkaConfig::from_env(env, SERVICE_NAME)?;
        let filter = Filter { kind: args.kind, key: args.key };
        let stop = shutdown::on_signal()?;
        let tail = Tail::start(&kafka, filter, args.from_beginning).await?;
        while let Some(seen) = stop.run_until_cancelled(tail.next()).await {
            let seen = seen?;
            let line = if args.json { seen.payload } else { readable(&seen) };
            // What strangers write is not told to the terminal as an order.
            println!("{}", line.replace(char::is_control, "\u{fffd}"));
        }
        Ok(())
    }
}

/// When, what, about what, by whom, and the data.
fn readable(seen: &Seen) -> String {
    match &seen.event {
        Some(event) => {
            let time = event.time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let actor = event.actor.as_str();
            format!("{time} {:<34} {} by {actor} {}", event.kind, event.subject, event.data.get())
        }
        None => format!("{} [{}] {}: no event: {}", seen.topic, seen.partition, seen.offset, seen.payload),
    }
}
