//! What the environment says, read once at start.

use std::{path::PathBuf, time::Duration};

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_limits::Limits;
use common_utils::config::{ConfigError, Env, ListenConfig, OpenCurrencies, RedisConfig};

use crate::{ApprovalAbove, SERVICE_NAME};

const DEFAULT_PORT: u16 = 3003;
const DEFAULT_DATABASE: &str = "transaction_db";

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    pub identity_url: String,
    pub wallet_url: String,
    /// Where the directory's key lies.
    pub keys_dir: PathBuf,
    pub open_currencies: OpenCurrencies,
    /// What people may send in a day.
    pub limits: Limits,
    /// What takes a fresh approval of its sender.
    pub approval_above: ApprovalAbove,
    /// How long another service has to answer one call.
    pub call_timeout: Duration,
    /// How long a request has its transfer to itself before recovery may take it: longer than a call takes.
    pub transfer_lease: Duration,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let config = Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: Self::database(env)?,
            kafka: KafkaConfig::from_env(env, SERVICE_NAME)?,
            redis: RedisConfig::from_env(env)?,
            identity_url: env.identity_url(),
            wallet_url: env.wallet_url(),
            keys_dir: env.keys_dir(),
            open_currencies: OpenCurrencies::from_env(env)?,
            limits: Limits::from_env(env)?,
            approval_above: env.parse("TRANSFERS_APPROVAL_ABOVE", ApprovalAbove::default())?,
            call_timeout: env.seconds("CALL_TIMEOUT_SECONDS", 5)?,
            transfer_lease: env.seconds("TRANSFER_LEASE_SECONDS", 15)?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.transfer_lease <= self.call_timeout {
            return Err(ConfigError::new("TRANSFER_LEASE_SECONDS must be longer than CALL_TIMEOUT_SECONDS"));
        }
        Ok(())
    }

    /// All that the commands beside `serve` need.
    pub fn database(env: &Env) -> Result<DbConfig, ConfigError> {
        DbConfig::from_env(env, DEFAULT_DATABASE)
    }
}
