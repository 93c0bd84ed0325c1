//! Where a service's database is.

use std::time::Duration;

use common_utils::config::{ConfigError, Env};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::SslConfig;

#[derive(Debug, Clone)]
pub struct DbConfig {
    pub host: String,
    pub port: u16,
    pub name: String,
    pub user: String,
    pub password: Option<SecretString>,
    pub ssl: SslConfig,
    pub max_connections: u32,
    pub statement_timeout: Duration,
    pub lock_timeout: Duration,
}

impl DbConfig {
    pub fn from_env(env: &Env, default_name: &str) -> Result<Self, ConfigError> {
        Ok(Self {
            host: env.text("DB_HOST", "127.0.0.1"),
            port: env.parse("DB_PORT", 5432)?,
            name: env.text("DB_NAME", default_name),
            user: env.text("DB_USER", "wallet"),
            password: env.secret("DB_PASSWORD"),
            ssl: SslConfig::from_env(env)?,
            max_connections: env.parse("DB_MAX_CONNECTIONS", 16)?,
            statement_timeout: env.seconds("DB_STATEMENT_TIMEOUT_SECONDS", 10)?,
            lock_timeout: env.seconds("DB_LOCK_TIMEOUT_SECONDS", 5)?,
        })
    }

    /// For connections of the service.
    pub fn connect_options(&self, application: &str) -> PgConnectOptions {
        let options = PgConnectOptions::new()
            .host(&self.host)
            .port(self.port)
            .database(&self.name)
            .username(&self.user)
            .application_name(application)
            .options([
                ("statement_timeout", self.statement_timeout.as_millis().to_string()),
                ("lock_timeout", self.lock_timeout.as_millis().to_string()),
                ("idle_in_transaction_session_timeout", "30000".to_owned()),
            ]);
        let options = self.ssl.options(options);
        match &self.password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        }
    }

    /// For `refinery`, which brings its own driver. Names the database to connect to.
    pub(crate) fn tokio_postgres(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(&self.host).port(self.port).dbname(database).user(&self.user);
        config.connect_timeout(Duration::from_secs(5)).application_name("migrate");
        config.ssl_mode(self.ssl.mode());
        if let Some(password) = &self.password {
            config.password(password.expose_secret());
        }
        config
    }
}
