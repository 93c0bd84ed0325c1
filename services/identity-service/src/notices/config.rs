//! Which carriers messages go to: a mail server and an SMS carrier where they are configured, else the twin's mailbox.

use std::{net::IpAddr, time::Duration};

use common_utils::config::{ConfigError, Env};
use lettre::message::Mailbox;
use reqwest::Url;
use secrecy::SecretString;

/// Shorter than the lease of an attempt.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone)]
pub struct NoticeConfig {
    pub email: EmailConfig,
    pub sms: SmsConfig,
    /// Of one attempt.
    pub timeout: Duration,
    /// So many SMS are sent in an hour at most, whoever has them sent; zero: no limit. Each costs money, and some numbers are there to
    /// earn it.
    pub sms_an_hour: u32,
}

#[derive(Debug, Clone)]
pub enum EmailConfig {
    Smtp(Box<SmtpConfig>),
    /// The provider twin, for development and tests.
    Mailbox {
        url: String,
    },
}

#[derive(Debug, Clone)]
pub enum SmsConfig {
    Http(HttpSmsConfig),
    /// The provider twin, for development and tests.
    Mailbox {
        url: String,
    },
}

#[derive(Debug, Clone)]
pub struct SmtpConfig {
    pub host: String,
    pub port: u16,
    pub encryption: SmtpEncryption,
    pub credentials: Option<(String, SecretString)>,
    pub from: Mailbox,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpEncryption {
    /// Begins in clear and is encrypted before anything is said; a server that cannot is not used.
    StartTls,
    /// Encrypted from the first byte.
    Tls,
    /// Not at all, for a server on the same machine alone.
    Off,
}

#[derive(Debug, Clone)]
pub struct HttpSmsConfig {
    pub url: Url,
    pub api_key: SecretString,
    pub sender: String,
}

impl NoticeConfig {
    /// Everything to the twin's mailbox.
    pub fn mailbox(url: &str, timeout: Duration) -> Self {
        Self {
            email: EmailConfig::Mailbox { url: url.to_owned() },
            sms: SmsConfig::Mailbox { url: url.to_owned() },
            timeout,
            sms_an_hour: 0,
        }
    }

    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let timeout = env.seconds("NOTICE_TIMEOUT_SECONDS", 30)?;
        if timeout.is_zero() || timeout > LONGEST_TIMEOUT {
            let longest = LONGEST_TIMEOUT.as_secs();
            return Err(ConfigError::new(format!("NOTICE_TIMEOUT_SECONDS must be 1 to {longest}")));
        }
        let mailbox = Self::mailbox(&env.text("MAILBOX_URL", "http://127.0.0.1:4010"), timeout);
        Ok(Self {
            email: SmtpConfig::from_env(env)?.map_or(mailbox.email, |smtp| EmailConfig::Smtp(Box::new(smtp))),
            sms: HttpSmsConfig::from_env(env)?.map_or(mailbox.sms, SmsConfig::Http),
            timeout,
            sms_an_hour: env.parse("SMS_PER_HOUR", 3600)?,
        })
    }
}

impl SmtpConfig {
    fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some(host) = env.get("SMTP_HOST").map(str::to_owned) else {
            return none_of(env, "SMTP_HOST", &["SMTP_USERNAME", "SMTP_PASSWORD", "MAIL_FROM"]);
        };
        let (encryption, port) = match env.text("SMTP_TLS", "starttls").as_str() {
            "starttls" => (SmtpEncryption::StartTls, 587),
            "tls" => (SmtpEncryption::Tls, 465),
            "off" if is_loopback(&host) => (SmtpEncryption::Off, 25),
            "off" => return Err(ConfigError::new("SMTP_TLS=off is for a server on this machine alone")),
            _ => return Err(ConfigError::new("SMTP_TLS must be starttls, tls or off")),
        };
        let credentials = match (env.get("SMTP_USERNAME"), env.secret("SMTP_PASSWORD")) {
            (Some(username), Some(password)) => Some((username.to_owned(), password)),
            (None, None) => None,
            _ => return Err(ConfigError::new("SMTP_USERNAME and SMTP_PASSWORD belong together")),
        };
        let from = env.require("MAIL_FROM")?;
        let from = from.parse().map_err(|error| ConfigError::new(format!("MAIL_FROM={from:?}: {error}")))?;
        Ok(Some(Self { host, port: env.parse("SMTP_PORT", port)?, encryption, credentials, from }))
    }
}

impl HttpSmsConfig {
    fn from_env(env: &Env) -> Result<Option<Self>, ConfigError> {
        let Some(url) = env.get("SMS_URL") else {
            return none_of(env, "SMS_URL", &["SMS_API_KEY", "SMS_SENDER"]);
        };
        let url: Url = url.parse().map_err(|error| ConfigError::new(format!("SMS_URL: {error}")))?;
        if url.scheme() != "https" && !url.host_str().is_some_and(is_loopback) {
            return Err(ConfigError::new("SMS_URL must begin with https://: texts and a key go there"));
        }
        let api_key = env
            .secret("SMS_API_KEY")
            .ok_or_else(|| ConfigError::new("SMS_API_KEY is not set, and SMS_URL is"))?;
        Ok(Some(Self { url, api_key, sender: env.text("SMS_SENDER", "Wallet") }))
    }
}

/// Without the setting that the others belong to, messages would go to the mailbox, and nobody would know.
fn none_of<T>(env: &Env, missing: &str, others: &[&str]) -> Result<Option<T>, ConfigError> {
    match others.iter().find(|name| env.get(name).is_some()) {
        Some(set) => Err(ConfigError::new(format!("{missing} is not set, and {set} is"))),
        None => Ok(None),
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<NoticeConfig, ConfigError> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        NoticeConfig::from_env(&Env::from_values("identity", values))
    }

    const MAIL: [(&str, &str); 2] =
        [("SMTP_HOST", "mail.example.com"), ("MAIL_FROM", "Wallet <no-reply@example.com>")];

    fn smtp(more: &[(&str, &str)]) -> Result<SmtpConfig, ConfigError> {
        match read(&[&MAIL, more].concat())?.email {
            EmailConfig::Smtp(smtp) => Ok(*smtp),
            EmailConfig::Mailbox { .. } => panic!("SMTP_HOST is set"),
        }
    }

    #[test]
    fn without_carriers_everything_goes_to_the_mailbox() {
        let config = read(&[("MAILBOX_URL", "http://127.0.0.1:7")]).unwrap();
        assert!(matches!(config.email, EmailConfig::Mailbox { url } if url == "http://127.0.0.1:7"));
        assert!(matches!(config.sms, SmsConfig::Mailbox { url } if url == "http://127.0.0.1:7"));
        assert!(read(&[("NOTICE_TIMEOUT_SECONDS", "31")]).is_err());
    }

    #[test]
    fn mail_is_encrypted_unless_the_server_is_on_this_machine() {
        let plain = smtp(&[]).unwrap();
        assert_eq!((plain.encryption, plain.port), (SmtpEncryption::StartTls, 587));
        let tls = smtp(&[("SMTP_TLS", "tls"), ("SMTP_PORT", "2465")]).unwrap();
        assert_eq!((tls.encryption, tls.port), (SmtpEncryption::Tls, 2465));
        assert!(smtp(&[("SMTP_TLS", "off")]).is_err());
        assert!(smtp(&[("SMTP_TLS", "none")]).is_err());
        assert_eq!(
            smtp(&[("SMTP_TLS", "off"), ("SMTP_HOST", "::1")]).unwrap().encryption,
            SmtpEncryption::Off
        );
    }

    #[test]
    fn what_is_half_configured_is_refused_and_secrets_do_not_print() {
        assert!(smtp(&[("SMTP_USERNAME", "u")]).is_err());
        assert!(smtp(&[("MAIL_FROM", "nobody")]).is_err());
        assert!(read(&[("SMTP_HOST", "mail.example.com")]).is_err());
        assert!(read(&[("MAIL_FROM", "no-reply@example.com")]).is_err());
        assert!(read(&[("SMS_API_KEY", "k")]).is_err());
        assert!(read(&[("SMS_URL", "https://sms.example.com/v1")]).is_err());
        assert!(read(&[("SMS_URL", "http://sms.example.com/v1"), ("SMS_API_KEY", "k")]).is_err());
        let config = read(&[("SMS_URL", "https://sms.example.com/v1"), ("SMS_API_KEY", "s3cret")]).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        let config = smtp(&[("SMTP_USERNAME", "u"), ("SMTP_PASSWORD", "s3cret")]).unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
