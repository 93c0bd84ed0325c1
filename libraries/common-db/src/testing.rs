//! Databases for tests, on the real Postgres that `TEST_DATABASE_URL` names: each test gets a fresh one, copied from
//! a template that is migrated once.

use std::{
    str::FromStr,
    sync::{LazyLock, mpsc},
};

use common_utils::ids;
use secrecy::SecretString;
use sqlx::{Connection, Executor, PgConnection, PgPool, postgres::PgConnectOptions};

use crate::{
    DbConfig, SslConfig,
    migrate::{self, Migrations, Mode},
};

/// A database of one test. It is dropped soon after the test.
#[derive(Debug)]
pub struct TestDb {
    pub config: DbConfig,
    pub pool: PgPool,
}

impl TestDb {
    /// A fresh, migrated database. `service` names the template.
    ///
    /// # Panics
    /// Without a Postgres to make it on: a test that needs one has nothing to test.
    #[expect(clippy::panic, reason = "for tests only")]
    pub async fn create(service: &str, migrations: &Migrations) -> Self {
        Self::try_create(service, migrations).await.unwrap_or_else(|error| {
            panic!("no test database ({error:#}): set TEST_DATABASE_URL, or run scripts/test.sh")
        })
    }

    async fn try_create(service: &str, migrations: &Migrations) -> anyhow::Result<Self> {
        let admin = admin_options()?;
        let template = config(&admin, &format!("template_{service}_{}", migrations.fingerprint()));
        let mut connection = PgConnection::connect_with(&admin).await?;
        // Copying needs the template to itself, so makers and copiers take turns.
        connection.execute("SELECT pg_advisory_lock(7)").await?;
        migrate::run(&template, migrations, Mode::Apply).await?;
        let name = format!("test_{service}_{}", ids::new_id().simple());
        let copy = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{}\"", template.name);
        connection.execute(sqlx::AssertSqlSafe(copy)).await?;
        connection.execute("SELECT pg_advisory_unlock(7)").await?;
        connection.close().await?;
        let config = config(&admin, &name);
        let pool = crate::pool::connect("test", &config);
        Ok(Self { config, pool })
    }
}

impl Drop for TestDb {
    /// Hands the name to a thread that drops databases. The test does not wait for it: `DROP DATABASE` waits for
    /// every session of the server, and a session that this test's runtime was just opening cannot go on
    /// while the test waits.
    fn drop(&mut self) {
        // Fails only when that thread is gone: then the database goes with the test server.
        let _ = DROPPER.send(self.config.name.clone());
    }
}

/// What is still in the queue when the process ends stays behind, and goes with the test server.
static DROPPER: LazyLock<mpsc::Sender<String>> = LazyLock::new(|| {
    let (sender, names) = mpsc::channel();
    std::thread::spawn(move || {
        if let Err(error) = drop_databases(&names) {
            tracing::warn!(%error, "test databases are left behind");
        }
    });
    sender
});

fn drop_databases(names: &mpsc::Receiver<String>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(PgConnection::connect_with(&admin_options()?))?;
    for name in names {
        let statement = format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)");
        runtime.block_on(connection.execute(sqlx::AssertSqlSafe(statement)))?;
    }
    Ok(())
}

fn admin_options() -> anyhow::Result<PgConnectOptions> {
    let url = std::env::var("TEST_DATABASE_URL")?;
    Ok(PgConnectOptions::from_str(&url)?)
}

fn config(admin: &PgConnectOptions, name: &str) -> DbConfig {
    DbConfig {
        host: admin.get_host().to_owned(),
        port: admin.get_port(),
        name: name.to_owned(),
        user: admin.get_username().to_owned(),
        password: password_from_url().map(SecretString::from),
        ssl: SslConfig::default(),
        max_connections: 12,
        statement_timeout: std::time::Duration::from_secs(20),
        lock_timeout: std::time::Duration::from_secs(10),
    }
}

/// `PgConnectOptions` does not give its password back.
fn password_from_url() -> Option<String> {
    let url = std::env::var("TEST_DATABASE_URL").ok()?;
    let (credentials, _) = url.split_once("://")?.1.rsplit_once('@')?;
    credentials.split_once(':').map(|(_, password)| password.to_owned())
}
