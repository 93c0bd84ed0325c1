//! What the environment says, read once at start.

use std::{path::PathBuf, time::Duration};

use common_db::DbConfig;
use common_events::KafkaConfig;
use common_utils::config::{ConfigError, Env, ListenConfig, RedisConfig};

use crate::SERVICE_NAME;

const DEFAULT_PORT: u16 = 3004;
const DEFAULT_DATABASE: &str = "admin_db";
const CLOSE_AFTER: Duration = Duration::from_hours(14 * 24);
const WEBHOOK_RETENTION: Duration = Duration::from_hours(30 * 24);
/// A delivery is tried for 28 hours; what failed may be sent again for some days after.
const SHORTEST_WEBHOOK_RETENTION: Duration = Duration::from_hours(6 * 24);
/// The standard asks for 15 to 30 seconds. Staff wait for a test, and their request ends after 30.
const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub redis: RedisConfig,
    pub services: ServiceUrls,
    /// A resolved ticket is closed after this time (`TICKET_CLOSE_AFTER`).
    pub close_after: Duration,
    pub keys_dir: PathBuf,
    pub webhooks: WebhookConfig,
}

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// To addresses that are not public, and without TLS (`WEBHOOKS_ALLOW_PRIVATE`). For development.
    pub allow_private: bool,
    /// What was sent is deleted after this time (`WEBHOOK_RETENTION`); zero keeps it for ever.
    pub retention: Duration,
    /// Of one attempt.
    pub timeout: Duration,
}

impl WebhookConfig {
    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let retention = env.duration("WEBHOOK_RETENTION", WEBHOOK_RETENTION)?;
        if !retention.is_zero() && retention < SHORTEST_WEBHOOK_RETENTION {
            return Err(ConfigError::new("WEBHOOK_RETENTION must be 6d at the least, or 0 for ever"));
        }
        let allow_private = env.parse("WEBHOOKS_ALLOW_PRIVATE", false)?;
        Ok(Self { allow_private, retention, timeout: WEBHOOK_TIMEOUT })
    }
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
            keys_dir: env.keys_dir(),
            webhooks: WebhookConfig::from_env(env)?,
        })
    }

    /// All that the commands beside `serve` need.
    pub fn database(env: &Env) -> Result<DbConfig, ConfigError> {
        DbConfig::from_env(env, DEFAULT_DATABASE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webhooks_are_kept_longer_than_they_are_tried() {
        let retention = |text: &str| {
            let values = [("WEBHOOK_RETENTION".to_owned(), text.to_owned())].into();
            WebhookConfig::from_env(&Env::from_values("admin", values)).map(|config| config.retention)
        };
        assert_eq!(retention("").unwrap(), WEBHOOK_RETENTION);
        assert_eq!(retention("0").unwrap(), Duration::ZERO);
        assert_eq!(retention("6d").unwrap(), SHORTEST_WEBHOOK_RETENTION);
        assert!(retention("143h").unwrap_err().to_string().contains("WEBHOOK_RETENTION"));
    }
}
