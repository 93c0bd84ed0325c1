//! What the adapter needs to know. Secrets do not print.

use std::time::Duration;

use common_utils::config::Env;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

/// Live keys move real money.
const LIVE_KEY: &str = "sk_live_";

#[derive(Debug, Clone)]
pub struct Config {
    /// With the path, for example `https://payment.xpress-wallet.com/api/v1`.
    pub base_url: Url,
    pub api_key: SecretString,
    /// Signs webhooks. The provider does not say whether that is the API key; so it is given on its own.
    pub webhook_secret: SecretString,
    /// Of one attempt.
    pub timeout: Duration,
}

impl Config {
    pub fn from_env(env: &Env) -> anyhow::Result<Self> {
        let address = env.require("PROVIDUS_BASE_URL")?;
        let base_url: Url = address
            .parse()
            .map_err(|error| anyhow::anyhow!("PROVIDUS_BASE_URL={address:?} is no address: {error}"))?;
        anyhow::ensure!(
            matches!(base_url.scheme(), "http" | "https") && base_url.has_host(),
            "PROVIDUS_BASE_URL={address:?} must begin with https:// or http://"
        );
        let config = Self {
            base_url,
            api_key: env.require("PROVIDUS_API_KEY")?.into(),
            webhook_secret: env.require("PROVIDUS_WEBHOOK_SECRET")?.into(),
            timeout: env.seconds("PROVIDUS_TIMEOUT_SECONDS", 10)?,
        };
        config.check_mode(env)?;
        Ok(config)
    }

    /// Sandbox and live share a host; the prefix of the key tells which it is.
    fn check_mode(&self, env: &Env) -> anyhow::Result<()> {
        let live = self.api_key.expose_secret().starts_with(LIVE_KEY);
        let sandbox: bool = env.parse("PROVIDUS_USE_SANDBOX", !live)?;
        anyhow::ensure!(
            sandbox != live,
            "PROVIDUS_USE_SANDBOX={sandbox} does not go with the kind of PROVIDUS_API_KEY (live keys begin with {LIVE_KEY})"
        );
        anyhow::ensure!(
            !live || self.base_url.scheme() == "https",
            "PROVIDUS_BASE_URL must be https with a live key"
        );
        Ok(())
    }
}
