//! How API keys are rotated.

use std::time::Duration;

use common_utils::config::{ConfigError, Env};

/// A secret that nobody uses any more should not outlast the week.
const LONGEST_OVERLAP: Duration = Duration::from_hours(7 * 24);

#[derive(Debug, Clone)]
pub struct ApiKeyConfig {
    /// How long the last secret of a key goes on when there is another one.
    pub overlap: Duration,
}

impl Default for ApiKeyConfig {
    fn default() -> Self {
        Self { overlap: Duration::from_hours(24) }
    }
}

impl ApiKeyConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let overlap = env.duration("API_KEY_OVERLAP", Self::default().overlap)?;
        if overlap > LONGEST_OVERLAP {
            return Err(ConfigError::new("API_KEY_OVERLAP must be at most 7d"));
        }
        Ok(Self { overlap })
    }
}
