//! What the environment says, read once at start.

use std::{path::PathBuf, str::FromStr, time::Duration};

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_utils::{
    config::{ConfigError, Env, ListenConfig, RedisConfig},
    money::{Currency, UnknownCurrency},
};

const DEFAULT_PORT: u16 = 3003;
const DEFAULT_DATABASE: &str = "transaction_db";

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    /// Where identity-service and wallet-service answer.
    pub identity_url: String,
    pub wallet_url: String,
    /// Where the directory's key lies.
    pub keys_dir: PathBuf,
    /// In which currencies money may be sent.
    pub open_currencies: OpenCurrencies,
    /// How long another service has to answer one call.
    pub call_timeout: Duration,
    /// How long a request has its transfer to itself before recovery may take it: longer than a call takes.
    pub transfer_lease: Duration,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: DbConfig::from_env(env, DEFAULT_DATABASE)?,
            kafka: KafkaConfig::from_env(env, crate::SERVICE_NAME)?,
            redis: RedisConfig::from_env(env)?,
            identity_url: env.text("IDENTITY_URL", "http://127.0.0.1:3001"),
            wallet_url: env.text("WALLET_URL", "http://127.0.0.1:3002"),
            keys_dir: env.keys_dir(),
            open_currencies: env.parse("OPEN_CURRENCIES", OpenCurrencies::default())?,
            call_timeout: env.seconds("CALL_TIMEOUT_SECONDS", 5)?,
            transfer_lease: env.seconds("TRANSFER_LEASE_SECONDS", 15)?,
        })
    }
}

/// Currencies in which money may be sent, as `NGN,USD`.
#[derive(Debug, Clone)]
pub struct OpenCurrencies(Vec<Currency>);

impl OpenCurrencies {
    pub fn contains(&self, currency: Currency) -> bool {
        self.0.contains(&currency)
    }
}

impl Default for OpenCurrencies {
    fn default() -> Self {
        Self(vec![Currency::NGN, Currency::USD, Currency::GHS, Currency::KES])
    }
}

impl FromStr for OpenCurrencies {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|code| code.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}
