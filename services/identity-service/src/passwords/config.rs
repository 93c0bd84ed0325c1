//! Where people set a new password.

use common_utils::config::{ConfigError, Env};
use reqwest::Url;

use crate::notices::config::is_loopback;

#[derive(Debug, Clone, Default)]
pub struct ResetConfig {
    /// The page of an app that takes the token, which is put behind it. Without one, people are sent the token.
    pub page: Option<String>,
}

impl ResetConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let page = env.get("PASSWORD_RESET_URL").map(str::to_owned);
        if let Some(page) = &page {
            let url: Url =
                page.parse().map_err(|error| ConfigError::new(format!("PASSWORD_RESET_URL: {error}")))?;
            if url.scheme() == "http" && !url.host_str().is_some_and(is_loopback) {
                return Err(ConfigError::new(
                    "PASSWORD_RESET_URL must not begin with http://: a token goes there",
                ));
            }
            if !page.ends_with(['=', '#', '/']) {
                let why = "PASSWORD_RESET_URL must end with `=`, `#` or `/`: the token is put behind it";
                return Err(ConfigError::new(why));
            }
        }
        Ok(Self { page })
    }
}
