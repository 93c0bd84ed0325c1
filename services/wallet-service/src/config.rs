//! What the environment says, read once at start.

use std::time::Duration;

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_limits::Limits;
use common_utils::config::{ConfigError, Env, ListenConfig, OpenCurrencies, RedisConfig};

use crate::{SERVICE_NAME, providers};

const DEFAULT_PORT: u16 = 3002;
const DEFAULT_DATABASE: &str = "wallet_db";

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    pub open_currencies: OpenCurrencies,
    /// Who issues the account number of a person's first wallet; nobody where it says `none`.
    pub default_provider: Option<String>,
    pub identity_url: String,
    /// How often the ledger verifies itself; zero for never.
    pub ledger_check_interval: Duration,
    /// What each tier lets a wallet hold and take in at once.
    pub limits: Limits,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: Self::database(env)?,
            kafka: KafkaConfig::from_env(env, SERVICE_NAME)?,
            redis: RedisConfig::from_env(env)?,
            open_currencies: OpenCurrencies::from_env(env)?,
            default_provider: providers::config::default_provider(env),
            identity_url: env.identity_url(),
            ledger_check_interval: env.duration("LEDGER_CHECK_INTERVAL", Duration::from_hours(1))?,
            limits: Limits::from_env(env)?,
        })
    }

    /// All that the commands beside `serve` need.
    pub fn database(env: &Env) -> Result<DbConfig, ConfigError> {
        DbConfig::from_env(env, DEFAULT_DATABASE)
    }
}
