//! The plugins that are understood, each with the fields that are understood. Defaults are Kong's.

use http::HeaderName;
use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::{ConfigError, file::PluginEntity, part};
pub use crate::plugins::pre_function::Functions;
use crate::plugins::pre_function::Phase;

#[derive(Debug, Clone)]
pub enum PluginConfig {
    PreFunction(Functions),
    CorrelationId(CorrelationIdConfig),
    Cors(CorsConfig),
    Jwt(JwtConfig),
    Size(SizeConfig),
    RateLimit(RateLimitConfig),
    Prometheus(PrometheusConfig),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorrelationIdConfig {
    pub header_name: Name,
    pub generator: Generator,
    #[serde(default)]
    pub echo_downstream: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Generator {
    Uuid,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsConfig {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    #[serde(default)]
    pub headers: Vec<String>,
    #[serde(default)]
    pub exposed_headers: Vec<String>,
    #[serde(default)]
    pub credentials: bool,
    pub max_age: Option<u64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtConfig {
    /// Kong has no default, so an expired token passes where this is forgotten; here it must be said.
    pub claims_to_verify: Vec<Claim>,
    /// The claim, or else the header field, that names the credential.
    #[serde(default = "iss")]
    pub key_claim_name: String,
    #[serde(default = "authorization")]
    pub header_names: Vec<Name>,
    #[serde(default = "jwt_parameter")]
    uri_param_names: Vec<String>,
    #[serde(default)]
    cookie_names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claim {
    Exp,
    Nbf,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeConfig {
    pub allowed_payload_size: u64,
    #[serde(default)]
    pub size_unit: SizeUnit,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SizeUnit {
    #[default]
    Megabytes,
    Kilobytes,
    Bytes,
}

impl SizeConfig {
    pub fn bytes(self) -> u64 {
        let unit = match self.size_unit {
            SizeUnit::Megabytes => 1 << 20,
            SizeUnit::Kilobytes => 1 << 10,
            SizeUnit::Bytes => 1,
        };
        self.allowed_payload_size.saturating_mul(unit)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    pub minute: u32,
    pub limit_by: LimitBy,
    pub header_name: Option<Name>,
    #[serde(default)]
    pub policy: Policy,
    #[serde(default = "yes")]
    pub fault_tolerant: bool,
    pub redis: Option<RedisConfig>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitBy {
    Ip,
    Header,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    #[default]
    Local,
    Redis,
}

#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisConfig {
    pub host: String,
    #[serde(default = "redis_port")]
    pub port: u16,
    /// Milliseconds.
    #[serde(default = "two_seconds")]
    pub timeout: u64,
    pub password: Option<String>,
    #[serde(default)]
    pub database: i64,
}

impl std::fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The password stays out.
        write!(f, "redis {}:{}/{}", self.host, self.port, self.database)
    }
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "they are Kong's")]
pub struct PrometheusConfig {
    pub status_code_metrics: bool,
    pub latency_metrics: bool,
    pub bandwidth_metrics: bool,
    pub upstream_health_metrics: bool,
}

/// A header's name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(pub HeaderName);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("{text:?} is no header's name"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreFunctionConfig {
    #[serde(default)]
    rewrite: Vec<String>,
    #[serde(default)]
    access: Vec<String>,
}

fn yes() -> bool {
    true
}

fn authorization() -> Vec<Name> {
    vec![Name(http::header::AUTHORIZATION)]
}

fn iss() -> String {
    "iss".to_owned()
}

fn jwt_parameter() -> Vec<String> {
    vec!["jwt".to_owned()]
}

fn redis_port() -> u16 {
    6379
}

fn two_seconds() -> u64 {
    2000
}

/// Reads one plugin at `place`.
pub(super) fn read(place: &str, entity: PluginEntity) -> Result<PluginConfig, ConfigError> {
    let PluginEntity { name, config, .. } = entity;
    // A plugin without a config has an empty one.
    let config = if config.is_null() { Value::Mapping(Mapping::new()) } else { config };
    let place = &format!("{place} ({name}).config");
    match name.as_str() {
        "pre-function" => pre_function(place, &part(place, config)?),
        "correlation-id" => part(place, config).map(PluginConfig::CorrelationId),
        "cors" => cors(place, part(place, config)?),
        "jwt" => jwt(place, part(place, config)?),
        "request-size-limiting" => part(place, config).map(PluginConfig::Size),
        "rate-limiting" => rate_limit(place, part(place, config)?),
        "prometheus" => part(place, config).map(PluginConfig::Prometheus),
        _ => Err(ConfigError::at(place.trim_end_matches(".config"), "this plugin is not understood")),
    }
}

fn pre_function(place: &str, config: &PreFunctionConfig) -> Result<PluginConfig, ConfigError> {
    let mut functions = Functions::default();
    for (name, phase, texts) in
        [("rewrite", Phase::Rewrite, &config.rewrite), ("access", Phase::Access, &config.access)]
    {
        for (at, lua) in texts.iter().enumerate() {
            if !functions.take(phase, lua) {
                let why =
                    "this Lua is not understood here: gateway/src/plugins/pre_function.rs knows which is";
                return Err(ConfigError::at(format!("{place}.{name}[{at}]"), why));
            }
        }
    }
    if functions.is_empty() {
        return Err(ConfigError::at(place, "a function is needed"));
    }
    Ok(PluginConfig::PreFunction(functions))
}

fn jwt(place: &str, config: JwtConfig) -> Result<PluginConfig, ConfigError> {
    // Kong looks into `?jwt=` unless told otherwise, and addresses end up in logs.
    for (field, names) in
        [("uri_param_names", &config.uri_param_names), ("cookie_names", &config.cookie_names)]
    {
        if !names.is_empty() {
            return Err(ConfigError::at(
                format!("{place}.{field}"),
                "only [] is understood, and has to be said",
            ));
        }
    }
    Ok(PluginConfig::Jwt(config))
}

fn cors(place: &str, config: CorsConfig) -> Result<PluginConfig, ConfigError> {
    // Kong takes other characters for regular expressions, and answers a single origin to every caller.
    let plain = |origin: &String| {
        !origin.is_empty()
            && origin
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'/' | b'-'))
    };
    if let Some(at) = config.origins.iter().position(|origin| !plain(origin)) {
        return Err(ConfigError::at(format!("{place}.origins[{at}]"), "only plain origins are understood"));
    }
    if config.origins.len() < 2 {
        let why = "a single origin would be answered to every caller: name at least two";
        return Err(ConfigError::at(format!("{place}.origins"), why));
    }
    Ok(PluginConfig::Cors(config))
}

fn rate_limit(place: &str, config: RateLimitConfig) -> Result<PluginConfig, ConfigError> {
    let wrong = |field: &str, why: &str| Err(ConfigError::at(format!("{place}.{field}"), why));
    if config.minute == 0 {
        return wrong("minute", "must be above 0");
    }
    if (config.limit_by == LimitBy::Header) != config.header_name.is_some() {
        return wrong("header_name", "belongs to `limit_by: header`, and only there");
    }
    if (config.policy == Policy::Redis) != config.redis.is_some() {
        return wrong("redis", "belongs to `policy: redis`, and only there");
    }
    Ok(PluginConfig::RateLimit(config))
}
