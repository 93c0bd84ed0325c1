//! The gateway as a process of its own, in front of services that run elsewhere.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Parser, Subcommand};
use common_utils::{
    config::{Env, ListenConfig},
    shutdown, telemetry,
};
use gateway::{Config, Gateway, Upstream, render};

#[derive(Debug, Parser)]
#[command(
    about = "Stands in for Kong: reads the same kong.yml and answers as Kong does for what it uses",
    version
)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// A rendered kong.yml. Without it, the one of this project is rendered with the public key of KEYS_DIR.
    #[arg(long, global = true, env = "GATEWAY_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Serves; this is what happens without a command.
    Serve,
    /// Reads the file, says whether all of it is understood, and ends.
    Check,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let env = Env::of_process("gateway");
    let telemetry = telemetry::init("gateway", &env)?;
    let config = load(arguments.config.as_deref(), &env)?;
    if let Command::Serve = arguments.command.unwrap_or(Command::Serve) {
        // A file of the operator's own is theirs to render anew.
        let keys = arguments.config.is_none().then(|| public_keys(&env));
        serve(config, keys, &env).await?;
    }
    telemetry.flush();
    Ok(())
}

fn load(file: Option<&Path>, env: &Env) -> anyhow::Result<Config> {
    match file {
        Some(file) => Config::load(file).with_context(|| format!("{}", file.display())),
        None => Ok(render::load(&render::directory(), &public_keys(env))?),
    }
}

fn public_keys(env: &Env) -> PathBuf {
    env.keys_dir().join("jwt_ed25519.pub.pem")
}

async fn serve(config: Config, keys: Option<PathBuf>, env: &Env) -> anyhow::Result<()> {
    let listen = ListenConfig::from_env(env, 8000)?;
    let status = ListenConfig { host: listen.host.clone(), port: env.parse("STATUS_PORT", 8100)? };
    let mut builder = Gateway::builder(config).port(listen.port);
    for (upstream, variable, port) in [
        ("identity-service", "IDENTITY_URL", 3001),
        ("wallet-service", "WALLET_URL", 3002),
        ("transaction-service", "TRANSACTION_URL", 3003),
        ("admin-service", "ADMIN_URL", 3004),
    ] {
        let url = env.text(variable, &format!("http://127.0.0.1:{port}"));
        builder = builder.upstream(upstream, Upstream::http(url));
    }
    let gateway = builder.build()?;
    let (listener, status) = (listen.bind().await?, status.bind().await?);
    tracing::info!(address = %listener.local_addr()?, status = %status.local_addr()?, "the gateway listens");
    let shutdown = shutdown::on_signal()?;
    if let Some(keys) = keys {
        tokio::spawn(render::keep_keys(gateway.clone(), render::directory(), keys, shutdown.clone()));
    }
    gateway::serve(&gateway, listener, status, shutdown).await?;
    Ok(())
}
