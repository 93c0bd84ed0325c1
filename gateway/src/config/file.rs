//! The entities of the file, field by field. A field that is not here is refused. Defaults are Kong's.

use serde::Deserialize;
use serde_yaml_ng::Value;
use uuid::Uuid;

use super::{Config, ConfigError, Consumer, PluginConfig, Route, Service, Upstream, plugin};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(rename = "_format_version")]
    format_version: String,
    #[serde(default)]
    consumers: Vec<ConsumerEntity>,
    #[serde(default)]
    plugins: Vec<PluginEntity>,
    #[serde(default)]
    services: Vec<ServiceEntity>,
    #[serde(default)]
    upstreams: Vec<UpstreamEntity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsumerEntity {
    id: Uuid,
    username: String,
    #[serde(default)]
    jwt_secrets: Vec<JwtCredential>,
}

/// What a token is checked with.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtCredential {
    /// What a token names it by, in the claim or header field that the plugin looks at.
    pub key: String,
    pub algorithm: String,
    /// PEM; the name is Kong's, whatever kind of key it is.
    pub rsa_public_key: Option<String>,
    /// Of HS256.
    pub secret: Option<String>,
}

impl std::fmt::Debug for JwtCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret stays out.
        write!(f, "{} credential {}", self.algorithm, self.key)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginEntity {
    pub(super) name: String,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    #[serde(default)]
    pub(super) config: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceEntity {
    name: String,
    host: String,
    #[serde(default = "http_port")]
    port: u16,
    #[serde(default = "http")]
    protocol: String,
    path: Option<String>,
    #[serde(default = "five")]
    retries: u32,
    #[serde(default = "minute")]
    connect_timeout: u64,
    #[serde(default = "minute")]
    write_timeout: u64,
    #[serde(default = "minute")]
    read_timeout: u64,
    #[serde(default)]
    routes: Vec<RouteEntity>,
    #[serde(default)]
    plugins: Vec<PluginEntity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntity {
    name: String,
    paths: Vec<String>,
    #[serde(default)]
    regex_priority: u32,
    #[serde(default = "yes")]
    strip_path: bool,
    #[serde(default)]
    preserve_host: bool,
    #[serde(default)]
    plugins: Vec<PluginEntity>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpstreamEntity {
    name: String,
    targets: Vec<TargetEntity>,
    #[serde(default)]
    healthchecks: HealthChecks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetEntity {
    target: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthChecks {
    pub active: ActiveChecks,
    pub passive: PassiveChecks,
}

/// Probes. An interval of 0 means none, a threshold of 0 that it never counts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveChecks {
    #[serde(rename = "type")]
    pub kind: CheckKind,
    pub http_path: String,
    /// Seconds.
    pub timeout: u64,
    pub healthy: ActiveHealthy,
    pub unhealthy: ActiveUnhealthy,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    #[default]
    Http,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveHealthy {
    pub interval: u64,
    pub http_statuses: Vec<u16>,
    pub successes: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActiveUnhealthy {
    pub interval: u64,
    pub http_statuses: Vec<u16>,
    pub tcp_failures: u32,
    pub timeouts: u32,
    pub http_failures: u32,
}

/// What is learnt from the calls themselves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PassiveChecks {
    #[serde(rename = "type")]
    pub kind: CheckKind,
    pub healthy: PassiveHealthy,
    pub unhealthy: PassiveUnhealthy,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PassiveHealthy {
    pub http_statuses: Vec<u16>,
    pub successes: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PassiveUnhealthy {
    pub http_statuses: Vec<u16>,
    pub tcp_failures: u32,
    pub timeouts: u32,
    pub http_failures: u32,
}

impl Default for ActiveChecks {
    fn default() -> Self {
        Self {
            kind: CheckKind::Http,
            http_path: "/".to_owned(),
            timeout: 1,
            healthy: ActiveHealthy::default(),
            unhealthy: ActiveUnhealthy::default(),
        }
    }
}

impl Default for ActiveHealthy {
    fn default() -> Self {
        Self { interval: 0, http_statuses: vec![200, 302], successes: 0 }
    }
}

impl Default for ActiveUnhealthy {
    fn default() -> Self {
        let http_statuses = vec![429, 404, 500, 501, 502, 503, 504, 505];
        Self { interval: 0, http_statuses, tcp_failures: 0, timeouts: 0, http_failures: 0 }
    }
}

impl Default for PassiveHealthy {
    fn default() -> Self {
        let http_statuses = (200..=208).chain([226]).chain(300..=308).collect();
        Self { http_statuses, successes: 0 }
    }
}

impl Default for PassiveUnhealthy {
    fn default() -> Self {
        Self { http_statuses: vec![429, 500, 503], tcp_failures: 0, timeouts: 0, http_failures: 0 }
    }
}

fn yes() -> bool {
    true
}

fn http() -> String {
    "http".to_owned()
}

fn http_port() -> u16 {
    80
}

fn five() -> u32 {
    5
}

fn minute() -> u64 {
    60_000
}

impl File {
    pub(super) fn into_config(self) -> Result<Config, ConfigError> {
        if self.format_version != "3.0" {
            return Err(ConfigError::at("_format_version", "only \"3.0\" is understood"));
        }
        let services = self.services.into_iter().enumerate();
        Ok(Config {
            consumers: self.consumers.into_iter().map(ConsumerEntity::into_consumer).collect(),
            plugins: plugins("plugins", self.plugins)?,
            services: services.map(|(at, entity)| entity.into_service(at)).collect::<Result<_, _>>()?,
            upstreams: self.upstreams.into_iter().map(UpstreamEntity::into_upstream).collect(),
        })
    }
}

impl ConsumerEntity {
    fn into_consumer(self) -> Consumer {
        let Self { id, username, jwt_secrets } = self;
        Consumer { id, username, credentials: jwt_secrets }
    }
}

impl ServiceEntity {
    fn into_service(self, at: usize) -> Result<Service, ConfigError> {
        let place = format!("services[{at}]");
        if self.protocol != "http" {
            return Err(ConfigError::at(format!("{place}.protocol"), "only \"http\" is understood"));
        }
        if self.port == 0 {
            return Err(ConfigError::at(format!("{place}.port"), "is no port"));
        }
        let routes = self.routes.into_iter().enumerate();
        Ok(Service {
            name: self.name,
            host: self.host,
            path: self.path,
            retries: self.retries,
            connect_timeout: self.connect_timeout,
            write_timeout: self.write_timeout,
            read_timeout: self.read_timeout,
            routes: routes.map(|(at, entity)| entity.into_route(&place, at)).collect::<Result<_, _>>()?,
            plugins: plugins(&format!("{place}.plugins"), self.plugins)?,
        })
    }
}

impl RouteEntity {
    fn into_route(self, service: &str, at: usize) -> Result<Route, ConfigError> {
        let plugins = plugins(&format!("{service}.routes[{at}].plugins"), self.plugins)?;
        let Self { name, paths, regex_priority, strip_path, preserve_host, .. } = self;
        Ok(Route { name, paths, regex_priority, strip_path, preserve_host, plugins })
    }
}

impl UpstreamEntity {
    fn into_upstream(self) -> Upstream {
        let targets = self.targets.into_iter().map(|entity| entity.target).collect();
        Upstream { name: self.name, targets, healthchecks: self.healthchecks }
    }
}

/// The plugins of one entity. One that is switched off is read as strictly, and left out.
fn plugins(place: &str, entities: Vec<PluginEntity>) -> Result<Vec<PluginConfig>, ConfigError> {
    let mut found = Vec::with_capacity(entities.len());
    for (at, entity) in entities.into_iter().enumerate() {
        let enabled = entity.enabled;
        let config = plugin::read(&format!("{place}[{at}]"), entity)?;
        if enabled {
            found.push(config);
        }
    }
    Ok(found)
}
