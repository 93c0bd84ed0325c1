//! The main job, as a user would do it by hand: everything goes through the gateway, each step is shown with method,
//! path, status and what came back, and whatever differs from what must be ends the demonstration.

mod api;
mod people;
mod story;

use std::time::Duration;

use common_utils::config::Env;

/// Where the platform is, and who the staff are.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub gateway: String,
    #[arg(long, env = "TWIN_URL", default_value = "http://127.0.0.1:4010")]
    pub twin: String,
    #[arg(long, env = "DEMO_SUPPORT_EMAIL")]
    pub support_email: String,
    #[arg(long, env = "DEMO_SUPPORT_PASSWORD", hide_env_values = true)]
    pub support_password: String,
    #[arg(long, env = "DEMO_COMPLIANCE_EMAIL")]
    pub compliance_email: String,
    #[arg(long, env = "DEMO_COMPLIANCE_PASSWORD", hide_env_values = true)]
    pub compliance_password: String,
}

/// How long the demonstration waits for something that follows by itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// Plays the main job; an error tells which step went wrong.
#[expect(clippy::print_stdout, reason = "a command for people")]
pub async fn play(options: &Options) -> anyhow::Result<()> {
    let started = std::time::Instant::now();
    story::play(options).await?;
    verify_ledger().await?;
    println!("\nThe main job went through in {:.1?}.", started.elapsed());
    Ok(())
}

/// Reads the ledger itself, in wallet-service's database: every balance against its entries, all accounts to zero.
#[expect(clippy::print_stdout, reason = "a command for people")]
async fn verify_ledger() -> anyhow::Result<()> {
    println!("\n== The ledger is verified");
    let env = Env::of_process("standalone").shared_by("wallet");
    let database = wallet_service::config::Config::database(&env)?;
    let pool = common_db::pool::connect("demo", &database);
    let report = wallet_service::ledger::verify::verify(&pool, None).await?;
    println!("{report}");
    anyhow::ensure!(report.is_clean(), "the ledger is not clean");
    Ok(())
}
