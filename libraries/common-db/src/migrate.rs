//! Migrations: `migrations/common` and the service's own, in the order of their time stamps, under an advisory lock,
//! so that several instances may start at once.

use anyhow::{Context, bail};
use refinery::{Migration, Runner};
use sha2::{Digest, Sha256};
use tokio_postgres::{Client, error::SqlState};

use crate::DbConfig;

/// Any number does, as long as every instance takes the same.
const LOCK: i64 = 0x77_61_6c_6c_65_74;

/// What Postgres answers who creates a database that another has created, or creates at this moment.
const FASTER: &[SqlState] = &[SqlState::DUPLICATE_DATABASE, SqlState::UNIQUE_VIOLATION];

/// The migrations of one database.
#[derive(Debug)]
pub struct Migrations(Vec<Migration>);

mod common {
    refinery::embed_migrations!("../../migrations/common");
}

impl Migrations {
    /// The service's own, embedded in its binary, with the common ones.
    pub fn new(own: &Runner) -> Self {
        let mut all = common::migrations::runner().get_migrations().clone();
        all.extend(own.get_migrations().iter().cloned());
        all.sort();
        Self(all)
    }

    /// What every database has, alone; for tests of what is built on it.
    pub fn common() -> Self {
        Self::new(&Runner::new(&[]))
    }

    /// Changes whenever a migration is added or edited; names test templates.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        for migration in &self.0 {
            hasher.update(migration.checksum().to_be_bytes());
        }
        hex::encode(&hasher.finalize()[..6])
    }

    fn runner(&self) -> Runner {
        Runner::new(&self.0).set_abort_divergent(true).set_abort_missing(false)
    }
}

/// What to do with the migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Apply,
    /// Tell what is applied and what is not.
    Status,
    /// Tell what would be applied.
    DryRun,
}

/// `migrate [--status] [--dry-run]`, the same in every service's binary.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct MigrateArgs {
    /// Tell what is applied and what is pending, and change nothing.
    #[arg(long)]
    status: bool,
    /// Tell what would be applied, and change nothing.
    #[arg(long, conflicts_with = "status")]
    dry_run: bool,
}

impl MigrateArgs {
    #[expect(clippy::print_stdout, reason = "a command for people")]
    pub async fn run(self, config: &DbConfig, migrations: &Migrations) -> anyhow::Result<()> {
        let mode = match (self.status, self.dry_run) {
            (true, _) => Mode::Status,
            (_, true) => Mode::DryRun,
            _ => Mode::Apply,
        };
        for line in run(config, migrations, mode).await? {
            println!("{}: {line}", config.name);
        }
        Ok(())
    }
}

/// Creates the database if it is missing and brings its schema up to date; the lines tell what was done.
pub async fn run(config: &DbConfig, migrations: &Migrations, mode: Mode) -> anyhow::Result<Vec<String>> {
    let exists = database_exists(config).await?;
    if !exists && mode != Mode::Apply {
        let names = migrations.0.iter().map(|migration| format!("pending  {migration}"));
        return Ok(std::iter::once(format!("database {} does not exist", config.name))
            .chain(names)
            .collect());
    }
    let mut lines = Vec::new();
    if !exists {
        create_database(config).await?;
        lines.push(format!("created database {}", config.name));
    }
    let mut client = connect(config, &config.name).await?;
    client.query_one("SELECT pg_advisory_lock($1)", &[&LOCK]).await?;
    with_lock(&mut client, migrations, mode, &mut lines).await?;
    // After a failure the connection's end frees the lock; asking here could hide why it failed.
    client.query_one("SELECT pg_advisory_unlock($1)", &[&LOCK]).await?;
    Ok(lines)
}

async fn with_lock(
    client: &mut Client,
    migrations: &Migrations,
    mode: Mode,
    lines: &mut Vec<String>,
) -> anyhow::Result<()> {
    if mode == Mode::Apply {
        let report = migrations.runner().run_async(client).await.context("a migration failed")?;
        lines.extend(report.applied_migrations().iter().map(|migration| format!("applied  {migration}")));
        if report.applied_migrations().is_empty() {
            lines.push("nothing to do".to_owned());
        }
        return Ok(());
    }
    let applied = applied(client).await?;
    for migration in &migrations.0 {
        let known = applied.contains(&migration.version());
        if mode == Mode::Status || !known {
            lines.push(format!("{}  {migration}", if known { "applied" } else { "pending" }));
        }
    }
    if lines.is_empty() {
        lines.push("nothing to do".to_owned());
    }
    Ok(())
}

/// Versions in the history table; none where it does not exist yet. Reading it must not create it.
async fn applied(client: &Client) -> anyhow::Result<Vec<i64>> {
    let exists: bool =
        client.query_one("SELECT to_regclass('refinery_schema_history') IS NOT NULL", &[]).await?.get(0);
    if !exists {
        return Ok(Vec::new());
    }
    let rows = client.query("SELECT version FROM refinery_schema_history", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Fails when the database is behind: a service that needs a newer schema must not half work.
pub async fn require_current(
    config: &DbConfig,
    migrations: &Migrations,
    command: &str,
) -> anyhow::Result<()> {
    let client = connect(config, &config.name).await?;
    let applied = applied(&client).await?;
    let pending = migrations.0.iter().filter(|migration| !applied.contains(&migration.version())).count();
    if pending > 0 {
        bail!(
            "database {} lacks {pending} migrations: run `{command}` or scripts/migrate-all.sh",
            config.name
        );
    }
    Ok(())
}

async fn database_exists(config: &DbConfig) -> anyhow::Result<bool> {
    let client = connect(config, "postgres").await?;
    Ok(client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&config.name]).await?.is_some())
}

async fn create_database(config: &DbConfig) -> anyhow::Result<()> {
    let client = connect(config, "postgres").await?;
    // A name cannot be a parameter here; quoting makes any name harmless.
    let quoted = config.name.replace('"', "\"\"");
    match client.batch_execute(&format!("CREATE DATABASE \"{quoted}\"")).await {
        // Another instance was faster: it had finished, or was at it at the same moment.
        Err(error) if error.code().is_some_and(|code| FASTER.contains(code)) => Ok(()),
        result => result.with_context(|| format!("cannot create database {}", config.name)),
    }
}

async fn connect(config: &DbConfig, database: &str) -> anyhow::Result<Client> {
    let (client, connection) = config
        .tokio_postgres(database)
        .connect(config.ssl.connector()?)
        .await
        .with_context(|| format!("cannot connect to {database} on {}:{}", config.host, config.port))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "the connection that migrates was lost");
        }
    });
    Ok(client)
}
