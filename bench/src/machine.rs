//! Where it was measured. Numbers of another machine, or of a server that forgets, say nothing beside these.

use std::fs;

use common_db::PgPool;
use common_utils::clock::{Clock, SystemClock};

/// What every number depends on, shown with it.
const SETTINGS: [&str; 6] = [
    "fsync",
    "synchronous_commit",
    "full_page_writes",
    "shared_buffers",
    "max_wal_size",
    "checkpoint_timeout",
];
const DURABLE: [&str; 3] = ["fsync", "synchronous_commit", "full_page_writes"];

/// The machine, the server and the day, as a paragraph. Refuses a server that does not keep what it commits, and a
/// build that was not made for speed.
pub(crate) async fn describe(pool: &PgPool) -> anyhow::Result<String> {
    anyhow::ensure!(!cfg!(debug_assertions), "measure a release build: WALLET_PROFILE=release");
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(pool).await?;
    let version = version.split_whitespace().next().unwrap_or_default();
    let mut settings = Vec::new();
    for name in SETTINGS {
        let value: String =
            sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(pool).await?;
        anyhow::ensure!(
            value == "on" || !DURABLE.contains(&name),
            "{name} is {value}: nothing is promised then"
        );
        settings.push(format!("`{name}` {value}"));
    }
    let day = SystemClock.now().format("%Y-%m-%d");
    let cores = std::thread::available_parallelism()?;
    let (model, memory) = (processor()?, memory_gigabytes()?);
    Ok(format!(
        "{day}. {cores} cores ({model}), {memory} GB of memory; clients, services and the database share them. \
         Postgres {version}: {}.",
        settings.join(", ")
    ))
}

fn processor() -> anyhow::Result<String> {
    let all = fs::read_to_string("/proc/cpuinfo")?;
    let name =
        all.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(':').nth(1));
    Ok(name.unwrap_or("unknown").trim().to_owned())
}

fn memory_gigabytes() -> anyhow::Result<u64> {
    let all = fs::read_to_string("/proc/meminfo")?;
    let kilobytes = all.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    Ok(kilobytes.unwrap_or_default().div_ceil(1024 * 1024))
}
