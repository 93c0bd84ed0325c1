//! What the twin needs to know. Secrets do not print.

use std::{path::PathBuf, time::Duration};

use common_utils::{
    clock::{SharedClock, SystemClock},
    config::{ConfigError, Env, ListenConfig},
};
use secrecy::SecretString;

/// The port that everything in development expects the twin on.
pub const DEFAULT_PORT: u16 = 4010;

const DEFAULT_WEBHOOK_URL: &str = "http://127.0.0.1:8000/api/v1/wallet/webhooks/providus";

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    /// What callers of the bank's calls must send as bearer token.
    pub api_key: SecretString,
    /// Signs webhooks.
    pub webhook_secret: SecretString,
    /// Where webhooks go.
    pub webhook_url: String,
    pub redelivery: Redelivery,
    /// What callers of the BVN check must send as bearer token.
    pub kyc_api_key: SecretString,
    /// What callers of the key management service must send; without it nobody is let in.
    pub kms_token: Option<SecretString>,
    /// How long the BVN check keeps a caller waiting for a BVN that ends in 7.
    pub kyc_slow: Duration,
    /// How long a pending payout stays pending.
    pub payout_pending: Duration,
    /// Where the book is kept; in memory only without it.
    pub data_file: Option<PathBuf>,
    pub clock: SharedClock,
}

/// How a webhook is tried again: the pause doubles from `first` up to `longest`.
#[derive(Debug, Clone, Copy)]
pub struct Redelivery {
    pub attempts: u32,
    pub first: Duration,
    pub longest: Duration,
    /// How long one attempt may take.
    pub deadline: Duration,
}

impl Default for Redelivery {
    /// Twenty attempts in about four minutes, so that a receiver that starts again still gets it.
    fn default() -> Self {
        Self {
            attempts: 20,
            first: Duration::from_millis(250),
            longest: Duration::from_secs(15),
            deadline: Duration::from_secs(10),
        }
    }
}

impl Redelivery {
    pub(crate) fn pause_after(&self, attempt: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        self.first.saturating_mul(doubled).min(self.longest)
    }
}

impl Config {
    /// The three keys that it cannot guess, and a default for everything else.
    pub fn new(api_key: &str, webhook_secret: &str, kyc_api_key: &str) -> Self {
        Self {
            listen: ListenConfig { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT },
            api_key: api_key.into(),
            webhook_secret: webhook_secret.into(),
            webhook_url: DEFAULT_WEBHOOK_URL.to_owned(),
            redelivery: Redelivery::default(),
            kyc_api_key: kyc_api_key.into(),
            kms_token: None,
            kyc_slow: Duration::from_secs(20),
            payout_pending: Duration::from_secs(30),
            data_file: None,
            clock: SystemClock::shared(),
        }
    }

    /// Reads `HOST PORT PROVIDUS_API_KEY PROVIDUS_WEBHOOK_SECRET KYC_API_KEY`, and the twin's own `TWIN_…` names.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let keys = [
            env.require("PROVIDUS_API_KEY")?,
            env.require("PROVIDUS_WEBHOOK_SECRET")?,
            env.require("KYC_API_KEY")?,
        ];
        Ok(Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            webhook_url: env.text("TWIN_WEBHOOK_URL", DEFAULT_WEBHOOK_URL),
            kms_token: env.secret("PII_KMS_TOKEN"),
            kyc_slow: env.seconds("TWIN_SLOW_SECONDS", 20)?,
            payout_pending: env.seconds("TWIN_PENDING_SECONDS", 30)?,
            data_file: env.get("TWIN_DATA_FILE").map(PathBuf::from),
            ..Self::new(&keys[0], &keys[1], &keys[2])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_outlast_a_minute() {
        let policy = Redelivery::default();
        assert_eq!(policy.pause_after(1), Duration::from_millis(250));
        assert_eq!(policy.pause_after(3), Duration::from_secs(1));
        assert_eq!(policy.pause_after(40), Duration::from_secs(15));
        let total: Duration = (1..policy.attempts).map(|attempt| policy.pause_after(attempt)).sum();
        assert!(total > Duration::from_mins(2), "{total:?}");
    }

    #[test]
    fn a_missing_key_is_named_and_no_secret_prints() {
        let env = |names: &[&str]| {
            let pairs = names.iter().map(|name| ((*name).to_owned(), "s3cret".to_owned()));
            Env::from_values("twin", pairs.collect())
        };
        let error = Config::from_env(&env(&["PROVIDUS_API_KEY", "KYC_API_KEY"])).unwrap_err();
        assert!(error.to_string().contains("PROVIDUS_WEBHOOK_SECRET"), "{error}");
        let config =
            Config::from_env(&env(&["PROVIDUS_API_KEY", "PROVIDUS_WEBHOOK_SECRET", "KYC_API_KEY"])).unwrap();
        assert_eq!(config.listen.port, DEFAULT_PORT);
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
