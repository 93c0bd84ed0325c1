//! `admin-service projection …`: making read models anew.

use std::process::ExitCode;

use clap::Subcommand;
use common_events::{
    KafkaConfig,
    rebuild::{Ended, Rebuild, Told},
};
use common_utils::{config::Env, shutdown};

use crate::{SERVICE_NAME, config::Config, projections};

#[derive(Debug, Subcommand)]
pub enum ProjectionCommand {
    /// Show the read models there are, a line each.
    List,
    /// Make a read model anew from all events there are, while the old one serves; exit status 1 when the old one goes on serving.
    Rebuild {
        /// As `list` names it.
        name: String,
    },
}

impl ProjectionCommand {
    /// Runs the command on the database and the cluster that the service uses.
    pub async fn run(self, env: &Env) -> anyhow::Result<ExitCode> {
        match self {
            Self::List => {
                list();
                Ok(ExitCode::SUCCESS)
            }
            Self::Rebuild { name } => rebuild(&name, env).await,
        }
    }
}

#[expect(clippy::print_stdout, reason = "a command for people")]
fn list() {
    for projection in projections::all() {
        let topics: Vec<&str> = projection.topics.iter().map(|topic| topic.name()).collect();
        println!("{:<10} of {}", projection.name, topics.join(", "));
    }
}

#[expect(clippy::print_stdout, reason = "a command for people")]
async fn rebuild(name: &str, env: &Env) -> anyhow::Result<ExitCode> {
    let rebuild = Rebuild {
        projection: projections::find(name)?.clone(),
        group: SERVICE_NAME,
        database: Config::database(env)?,
        kafka: KafkaConfig::from_env(env, SERVICE_NAME)?,
        shutdown: shutdown::on_signal()?,
    };
    match rebuild.run(&|told| tell(name, &told)).await? {
        Ended::Switched(totals) => {
            println!("{name}: the new read model serves: {totals}");
            Ok(ExitCode::SUCCESS)
        }
        Ended::Stopped => {
            println!("{name}: stopped; the old read model goes on serving");
            Ok(ExitCode::FAILURE)
        }
    }
}

#[expect(clippy::print_stderr, reason = "a command for people")]
fn tell(name: &str, told: &Told<'_>) {
    match told {
        Told::Leftover(schema) => {
            eprintln!("{name}: dropped {schema}, which a rebuild had left that did not come to its end");
        }
        Told::Progress(progress) => eprintln!("{name}: {progress}"),
        Told::Waiting(error) => {
            eprintln!("{name}: all is replayed, and the old read model cannot be replaced yet ({error:#})");
        }
    }
}
