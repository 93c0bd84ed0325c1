//! How many devices an account may have.

use common_utils::config::{ConfigError, Env};

#[derive(Debug, Clone, Copy)]
pub struct DeviceConfig {
    /// Another device takes the place of the one before, as the Central Bank of Nigeria asks of apps.
    pub one_active: bool,
}

impl DeviceConfig {
    /// `DEVICES_ONE_ACTIVE`, `on` unless it is `off`.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        match env.text("DEVICES_ONE_ACTIVE", "on").as_str() {
            "on" => Ok(Self { one_active: true }),
            "off" => Ok(Self { one_active: false }),
            _ => Err(ConfigError::new("DEVICES_ONE_ACTIVE must be on or off")),
        }
    }
}
