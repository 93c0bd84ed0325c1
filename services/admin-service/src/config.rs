//! What the environment says, read once at start.

use std::time::Duration;

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_utils::config::{ConfigError, Env, ListenConfig, RedisConfig};

use crate::SERVICE_NAME;

const DEFAULT_PORT: u16 = 3004;
const DEFAULT_DATABASE: &str = "admin_db";
const CLOSE_AFTER: Duration = Duration::from_hours(14 * 24);

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    pub services: ServiceUrls,
    /// A resolved ticket is closed after this time (`TICKET_CLOSE_AFTER`).
    pub close_after: Duration,
}

/// Where the services are whose internal contracts are asked.
#[derive(Debug, Clone)]
pub struct ServiceUrls {
    pub identity: String,
    pub wallet: String,
    pub transaction: String,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: Self::database(env)?,
            kafka: KafkaConfig::from_env(env, SERVICE_NAME)?,
            redis: RedisConfig::from_env(env)?,
            services: ServiceUrls {
                identity: env.identity_url(),
                wallet: env.wallet_url(),
                transaction: env.transaction_url(),
            },
            close_after: env.duration("TICKET_CLOSE_AFTER", CLOSE_AFTER)?,
        })
    }

    /// All that the commands beside `serve` need.
    pub fn database(env: &Env) -> Result<DbConfig, ConfigError> {
        DbConfig::from_env(env, DEFAULT_DATABASE)
    }
}
