//! What the environment says, read once at start.

use std::{path::PathBuf, time::Duration};

use common_auth::{claims::DEFAULT_ISSUER, secret::JwtSecret};
use common_db::DbConfig;
use common_events::KafkaConfig;
use common_limits::Limits;
use common_utils::{
    config::{ConfigError, Env, ListenConfig},
    http::TrustedProxies,
    http_client::BreakerConfig,
};

use crate::{
    SERVICE_NAME, api_keys::config::ApiKeyConfig, crypto::KmsConfig, devices::DeviceConfig,
    erasure::entity::RETENTION_DAYS, kyc::HttpKycConfig, notices::config::NoticeConfig,
    passkeys::PasskeyConfig, passwords::ResetConfig,
};

const DEFAULT_PORT: u16 = 3001;
const DEFAULT_DATABASE: &str = "identity_db";
const DEFAULT_RETENTION: Duration = Duration::from_hours(24 * RETENTION_DAYS);
const DEFAULT_UPLOADS: u16 = 64;
/// One document has to fit (10 MiB).
const LEAST_UPLOADS: u16 = 10;
/// A request of a client ends after 30 s; a check that may take longer could never answer.
const LONGEST_KYC_WAIT: Duration = Duration::from_secs(25);
/// A call may wrap a key and then open it.
const LONGEST_KMS_WAIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub struct Config {
    pub listen: ListenConfig,
    pub database: DbConfig,
    pub kafka: KafkaConfig,
    pub keys_dir: PathBuf,
    pub tokens: TokenConfig,
    pub passwords: PasswordConfig,
    /// Whether people may have a second factor; without, passwords are longer.
    pub second_factors: bool,
    pub passkeys: PasskeyConfig,
    pub devices: DeviceConfig,
    pub resets: ResetConfig,
    pub api_keys: ApiKeyConfig,
    pub notices: NoticeConfig,
    pub kyc: HttpKycConfig,
    /// Whose codes an authenticator app says they are.
    pub totp_issuer: String,
    pub kyc_policy: KycPolicyConfig,
    /// What each tier allows. Other services enforce it; this one tells it.
    pub limits: Limits,
    /// How long evidence of who had themselves erased is kept.
    pub erasure_retention: Duration,
    /// What wraps the keys of personal data in the place of key files.
    pub kms: Option<KmsConfig>,
    /// Who is believed where a call comes from.
    pub trusted_proxies: TrustedProxies,
}

/// What people have to give for a tier.
#[derive(Debug, Clone)]
pub struct KycPolicyConfig {
    /// Of who names none.
    pub country: String,
    /// Files of countries beside those that are compiled in.
    pub dir: Option<PathBuf>,
    /// So much of documents that are uploaded is on its way at once.
    pub upload_mebibytes: u16,
}

#[derive(Debug, Clone)]
pub struct TokenConfig {
    pub issuer: String,
    pub access_lifetime: Duration,
    pub session_lifetime: Duration,
    /// Signs access tokens in the place of the deployment's keys.
    pub secret: Option<JwtSecret>,
}

/// The cost of a password hash.
#[derive(Debug, Clone, Copy)]
pub struct PasswordConfig {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Config {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let config = Self {
            listen: ListenConfig::from_env(env, DEFAULT_PORT)?,
            database: Self::database(env)?,
            kafka: KafkaConfig::from_env(env, SERVICE_NAME)?,
            keys_dir: env.keys_dir(),
            tokens: TokenConfig {
                issuer: env.text("JWT_ISSUER", DEFAULT_ISSUER),
                access_lifetime: env.duration("JWT_EXPIRES_IN", Duration::from_mins(15))?,
                session_lifetime: env.duration("JWT_REFRESH_EXPIRES_IN", Duration::from_hours(7 * 24))?,
                secret: JwtSecret::from_env(env)?,
            },
            passwords: PasswordConfig::from_env(env)?,
            second_factors: Self::second_factors(env)?,
            passkeys: PasskeyConfig::from_env(env)?,
            devices: DeviceConfig::from_env(env)?,
            resets: ResetConfig::from_env(env)?,
            api_keys: ApiKeyConfig::from_env(env)?,
            notices: NoticeConfig::from_env(env)?,
            kyc: HttpKycConfig {
                base_url: env.text("KYC_BASE_URL", "http://127.0.0.1:4010"),
                api_key: env.secret("KYC_API_KEY"),
                timeout: env.seconds("KYC_TIMEOUT_SECONDS", 10)?,
                breaker: BreakerConfig::default(),
            },
            totp_issuer: env.text("TOTP_ISSUER", "Wallet"),
            kyc_policy: KycPolicyConfig {
                country: env.text("KYC_COUNTRY", "NG"),
                dir: env.get("KYC_POLICY_DIR").map(PathBuf::from),
                upload_mebibytes: env.parse("KYC_UPLOADS_MIB", DEFAULT_UPLOADS)?,
            },
            limits: Limits::from_env(env)?,
            erasure_retention: env.duration("ERASURE_RETENTION", DEFAULT_RETENTION)?,
            kms: Self::kms(env)?,
            trusted_proxies: TrustedProxies::from_env(env)?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let TokenConfig { access_lifetime, session_lifetime, .. } = &self.tokens;
        if access_lifetime.is_zero() || access_lifetime > session_lifetime {
            return Err(ConfigError::new(
                "JWT_EXPIRES_IN must be more than nothing and at most JWT_REFRESH_EXPIRES_IN",
            ));
        }
        if self.kyc.timeout.is_zero() || self.kyc.timeout > LONGEST_KYC_WAIT {
            let longest = LONGEST_KYC_WAIT.as_secs();
            return Err(ConfigError::new(format!("KYC_TIMEOUT_SECONDS must be 1 to {longest}")));
        }
        if self.kyc_policy.upload_mebibytes < LEAST_UPLOADS {
            return Err(ConfigError::new(format!("KYC_UPLOADS_MIB must be at least {LEAST_UPLOADS}")));
        }
        let (home, limits) = (&self.kyc_policy.country, self.limits.country());
        if home != limits {
            let message = format!("KYC_COUNTRY is {home}, and LIMITS_FILE has the limits of {limits}");
            return Err(ConfigError::new(message));
        }
        if self.totp_issuer.is_empty() || self.totp_issuer.contains(':') {
            return Err(ConfigError::new("TOTP_ISSUER must be a name without a colon"));
        }
        Ok(())
    }

    /// `SECOND_FACTORS`, `on` unless it is `off`.
    pub(crate) fn second_factors(env: &Env) -> Result<bool, ConfigError> {
        match env.text("SECOND_FACTORS", "on").as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(ConfigError::new("SECOND_FACTORS must be on or off")),
        }
    }

    /// None unless `PII_KMS_URL` says where it is.
    pub(crate) fn kms(env: &Env) -> Result<Option<KmsConfig>, ConfigError> {
        let Some(base_url) = env.get("PII_KMS_URL") else { return Ok(None) };
        let key = env.require("PII_KMS_KEY")?;
        if !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return Err(ConfigError::new("PII_KMS_KEY may have letters, digits, - and _"));
        }
        let timeout = env.seconds("PII_KMS_TIMEOUT_SECONDS", 5)?;
        if timeout.is_zero() || timeout > LONGEST_KMS_WAIT {
            let longest = LONGEST_KMS_WAIT.as_secs();
            return Err(ConfigError::new(format!("PII_KMS_TIMEOUT_SECONDS must be 1 to {longest}")));
        }
        Ok(Some(KmsConfig {
            base_url: base_url.to_owned(),
            key,
            token: env.require("PII_KMS_TOKEN")?.into(),
            timeout,
            breaker: BreakerConfig::default(),
        }))
    }

    /// All that the commands beside `serve` need.
    pub fn database(env: &Env) -> Result<DbConfig, ConfigError> {
        DbConfig::from_env(env, DEFAULT_DATABASE)
    }
}

impl PasswordConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            memory_kib: env.parse("ARGON2_MEMORY_KIB", 19_456)?,
            passes: env.parse("ARGON2_PASSES", 2)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_country_at_home() {
        let config = |country: &str| {
            let values = [("KYC_COUNTRY", country), ("DB_PASSWORD", "x")];
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Config::from_env(&Env::from_values("identity", values.into()))
        };
        assert_eq!(config("NG").unwrap().limits.country(), "NG");
        let error = config("GH").unwrap_err().to_string();
        assert!(error.contains("KYC_COUNTRY is GH") && error.contains("LIMITS_FILE"), "{error}");
    }

    #[test]
    fn there_is_room_for_one_document() {
        let config = |mebibytes: &str| {
            let values = [("KYC_UPLOADS_MIB", mebibytes), ("DB_PASSWORD", "x")];
            let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Config::from_env(&Env::from_values("identity", values.into()))
        };
        assert_eq!(config("10").unwrap().kyc_policy.upload_mebibytes, 10);
        for wrong in ["9", "0", "-1", "much", "65536"] {
            assert!(config(wrong).unwrap_err().to_string().contains("KYC_UPLOADS_MIB"), "{wrong}");
        }
    }
}
