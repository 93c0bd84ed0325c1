//! Where people set a new password.

use common_utils::config::{ConfigError, Env};
use reqwest::Url;

#[derive(Debug, Clone, Default)]
pub struct ResetConfig {
    /// The page of an app that takes the token, which is put behind it. Without one, people are sent the token.
    pub page: Option<String>,
}

impl ResetConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let page = env.get("PASSWORD_RESET_URL").map(str::to_owned);
        if let Some(page) = &page {
            page.parse::<Url>().map_err(|error| ConfigError::new(format!("PASSWORD_RESET_URL: {error}")))?;
        }
        Ok(Self { page })
    }
}
