//! `kong.yml` as this crate understands it.
//!
//! The rule: whatever is not understood is an error that names its place in the file, never ignored. A rule that Kong
//! keeps and the stand-in silently forgets would be found in production.
//!
//! Steps: the file is parsed strictly (`file`), each plugin's `config` by the plugin's own type (`plugin`), and what
//! entities say about each other is checked (`check`).

mod check;
mod file;
mod plugin;

use std::{fmt::Display, path::Path};

use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;
use uuid::Uuid;

pub use self::{
    file::{
        ActiveChecks, ActiveHealthy, ActiveUnhealthy, HealthChecks, JwtCredential, PassiveChecks,
        PassiveHealthy, PassiveUnhealthy,
    },
    plugin::{
        Claim, CorrelationIdConfig, CorsConfig, Functions, JwtConfig, LimitBy, Name, PluginConfig, Policy,
        PrometheusConfig, RateLimitConfig, RedisConfig, SizeConfig,
    },
};

#[derive(Debug, thiserror::Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// Where in the file, as `services[0].routes[1].plugins[0].config`.
    pub place: String,
    pub message: String,
}

impl ConfigError {
    pub(crate) fn at(place: impl Into<String>, message: impl Display) -> Self {
        Self { place: place.into(), message: message.to_string() }
    }
}

/// The whole file, checked.
#[derive(Debug, Clone)]
pub struct Config {
    pub consumers: Vec<Consumer>,
    pub plugins: Vec<PluginConfig>,
    pub services: Vec<Service>,
    pub upstreams: Vec<Upstream>,
}

#[derive(Debug, Clone)]
pub struct Consumer {
    pub id: Uuid,
    pub username: String,
    pub credentials: Vec<JwtCredential>,
}

#[derive(Debug, Clone)]
pub struct Service {
    pub name: String,
    /// The upstream's name.
    pub host: String,
    /// Prefixed to the path of each call.
    pub path: Option<String>,
    pub retries: u32,
    pub connect_timeout: u64,
    pub write_timeout: u64,
    pub read_timeout: u64,
    pub routes: Vec<Route>,
    pub plugins: Vec<PluginConfig>,
}

#[derive(Debug, Clone)]
pub struct Route {
    pub name: String,
    pub paths: Vec<String>,
    pub regex_priority: u32,
    pub strip_path: bool,
    pub preserve_host: bool,
    pub plugins: Vec<PluginConfig>,
}

#[derive(Debug, Clone)]
pub struct Upstream {
    pub name: String,
    /// `host:port` of each target.
    pub targets: Vec<String>,
    pub healthchecks: HealthChecks,
}

impl Config {
    /// Reads a rendered file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            ConfigError::at(path.display().to_string(), format!("cannot be read: {error}"))
        })?;
        Self::parse(&text)
    }

    /// Reads the text of a rendered file.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let file: file::File =
            serde_yaml_ng::from_str(text).map_err(|error| ConfigError::at("kong.yml", error))?;
        let config = file.into_config()?;
        check::check(&config)?;
        Ok(config)
    }
}

/// Reads one part of the file by its own type, with its place in the error.
fn part<T: DeserializeOwned>(place: &str, value: Value) -> Result<T, ConfigError> {
    serde_yaml_ng::from_value(value).map_err(|error| ConfigError::at(place, error))
}
