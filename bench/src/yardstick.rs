//! The yardstick: `pgbench`, TPC-B, on the same server in the same run.

use std::{process::Stdio, time::Duration};

use anyhow::Context;
use common_utils::config::Env;
use tokio::process::Command;

use crate::{
    database::Server,
    meter::{Cost, Meter},
    options::Options,
    quiet,
    table::whole,
};

/// Filled once and kept: each run measures a copy of it.
const FILLED: &str = "pgbench_50";
const FILLING: &str = "pgbench_filling";
const COPY: &str = "pgbench";

#[derive(Debug)]
pub(crate) struct Yardstick {
    pub(crate) rate: f64,
    pub(crate) average: Duration,
    pub(crate) done: f64,
    pub(crate) cost: Cost,
}

impl quiet::Disturbed for Yardstick {
    fn cost(&self) -> &Cost {
        &self.cost
    }
}

/// `pgbench -s 50 -c 16 -j 2 -M prepared`, warmed up like every other load.
pub(crate) async fn measure(options: &Options, server: &Server, meter: &Meter) -> anyhow::Result<Yardstick> {
    fill(options, server).await?;
    let yardstick = quiet::measure(options, meter, || once(options, server, meter)).await?;
    println!("pgbench: {} a second", whole(yardstick.rate));
    Ok(yardstick)
}

async fn once(options: &Options, server: &Server, meter: &Meter) -> anyhow::Result<Yardstick> {
    server.copy(FILLED, COPY).await?;
    let timing = options.timing();
    // After a checkpoint, the first change of each page is logged with the whole page. Its pages are many and are found at
    // random, so it takes this long until that is over; the other loads touch theirs in the first seconds.
    transact(options, timing.warm_up * 8, &[]).await?;
    let before = meter.read().await?;
    // It has cleaned up when it warmed up.
    let said = transact(options, timing.measured, &["-n"]).await?;
    let cost = meter.read().await?.since(&before);
    server.drop(COPY).await?;
    let number = |after: &str| {
        let (_, rest) = said.split_once(after)?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    let (rate, average, done) = number("tps = ")
        .zip(number("latency average = "))
        .zip(number("number of transactions actually processed: "))
        .map(|((rate, average), done)| (rate, average, done))
        .with_context(|| format!("pgbench does not say what was expected: {said}"))?;
    Ok(Yardstick { rate, average: Duration::from_secs_f64(average / 1_000.0), done, cost })
}

async fn fill(options: &Options, server: &Server) -> anyhow::Result<()> {
    if server.exists(FILLED).await? {
        return Ok(());
    }
    println!("filling {FILLED}, once");
    server.drop(FILLING).await?;
    server.copy("template0", FILLING).await?;
    pgbench(options, &["-i", "-q", "-s", "50", FILLING]).await?;
    server.rename(FILLING, FILLED).await
}

async fn transact(options: &Options, time: Duration, more: &[&str]) -> anyhow::Result<String> {
    let seconds = time.as_secs().to_string();
    let fixed = ["-c", "16", "-j", "2", "-M", "prepared", "-T", &seconds, COPY];
    pgbench(options, &[more, &fixed].concat()).await
}

async fn pgbench(options: &Options, arguments: &[&str]) -> anyhow::Result<String> {
    let env = Env::of_process("bench");
    let output = Command::new(&options.pgbench)
        .args(arguments)
        .env("PGHOST", env.text("DB_HOST", "127.0.0.1"))
        .env("PGPORT", env.text("DB_PORT", "5432"))
        .env("PGUSER", env.text("DB_USER", "wallet"))
        .env("PGPASSWORD", env.text("DB_PASSWORD", ""))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .with_context(|| format!("{} cannot be run", options.pgbench.display()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    anyhow::ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}
