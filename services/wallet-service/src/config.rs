//! What the environment says, read once at start.

use std::str::FromStr;

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_utils::{
    config::{ConfigError, Env, ListenConfig, RedisConfig},
    money::{Currency, UnknownCurrency},
};

use crate::providers;

const DEFAULT_PORT: u16 = 3002;
pub const DEFAULT_DATABASE: &str = "wallet_db";

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    /// In which currencies wallets are opened.
    pub open_currencies: OpenCurrencies,
    /// Who issues the account number of a person's first wallet; nobody where it says `none`.
    pub default_provider: Option<String>,
    /// Where identity-service answers.
    pub identity_url: String,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: DbConfig::from_env(env, DEFAULT_DATABASE)?,
            kafka: KafkaConfig::from_env(env, crate::SERVICE_NAME)?,
            redis: RedisConfig::from_env(env)?,
            open_currencies: env.parse("OPEN_CURRENCIES", OpenCurrencies::default())?,
            default_provider: providers::config::default_provider(env),
            identity_url: env.text("IDENTITY_URL", "http://127.0.0.1:3001"),
        })
    }
}

/// Currencies in which wallets are opened, as `NGN,USD`.
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
