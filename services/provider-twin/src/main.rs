//! The provider twin as a process of its own: configuration, logs, run.

use anyhow::Context;
use common_utils::{config::Env, shutdown, telemetry};
use provider_twin::Config;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let env = Env::of_process("twin");
    let telemetry = telemetry::init("provider-twin", &env)?;
    let config = Config::from_env(&env).context("the provider twin cannot start")?;
    let listener = config.listen.bind().await?;
    let outcome = provider_twin::run(listener, config, shutdown::on_signal()?).await;
    telemetry.flush();
    outcome
}
