//! How the brokers know us, and we them: nothing on a private network, TLS and SCRAM elsewhere.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use common_utils::config::{ConfigError, Env};
use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};

/// `KAFKA_SECURITY_PROTOCOL`, with the words of Kafka, in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Protocol {
    #[default]
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl Protocol {
    fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    fn asks_for_a_login(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

#[derive(Debug)]
struct UnknownProtocol;

impl Display for UnknownProtocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("write plaintext, ssl, sasl_plaintext or sasl_ssl")
    }
}

impl FromStr for Protocol {
    type Err = UnknownProtocol;

    fn from_str(text: &str) -> Result<Self, UnknownProtocol> {
        let known = [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl];
        known.into_iter().find(|protocol| protocol.name().eq_ignore_ascii_case(text)).ok_or(UnknownProtocol)
    }
}

/// `KAFKA_SASL_MECHANISM`.
const MECHANISMS: [&str; 3] = ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"];

#[derive(Debug, Clone)]
struct Login {
    mechanism: &'static str,
    username: String,
    password: SecretString,
}

/// What is set on every client.
#[derive(Debug, Clone, Default)]
pub struct KafkaSecurity {
    protocol: Protocol,
    /// A certificate (PEM) that is trusted instead of the system's.
    ca: Option<PathBuf>,
    login: Option<Login>,
}

impl KafkaSecurity {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let protocol: Protocol = env.parse("KAFKA_SECURITY_PROTOCOL", Protocol::default())?;
        let login = if protocol.asks_for_a_login() { Some(Login::from_env(env)?) } else { None };
        Ok(Self { protocol, ca: env.get("KAFKA_SSL_CA").map(PathBuf::from), login })
    }

    pub(crate) fn set(&self, client: &mut ClientConfig) {
        client.set("security.protocol", self.protocol.name());
        if let Some(ca) = &self.ca {
            client.set("ssl.ca.location", ca.to_string_lossy());
        }
        if let Some(login) = &self.login {
            client
                .set("sasl.mechanism", login.mechanism)
                .set("sasl.username", &login.username)
                .set("sasl.password", login.password.expose_secret());
        }
    }
}

impl Login {
    fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let missing = |name: &str| {
            ConfigError::new(format!("{name} is not set, and KAFKA_SECURITY_PROTOCOL asks for it"))
        };
        let mechanism = env.text("KAFKA_SASL_MECHANISM", MECHANISMS[0]);
        let known = MECHANISMS.into_iter().find(|known| known.eq_ignore_ascii_case(&mechanism));
        Ok(Self {
            mechanism: known.ok_or_else(|| {
                ConfigError::new(format!(
                    "KAFKA_SASL_MECHANISM={mechanism:?}: write one of {}",
                    MECHANISMS.join(", ")
                ))
            })?,
            username: env
                .get("KAFKA_SASL_USERNAME")
                .ok_or_else(|| missing("KAFKA_SASL_USERNAME"))?
                .to_owned(),
            password: env.secret("KAFKA_SASL_PASSWORD").ok_or_else(|| missing("KAFKA_SASL_PASSWORD"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<KafkaSecurity, String> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        KafkaSecurity::from_env(&Env::from_values("test", values)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_login_is_read_where_the_protocol_asks_for_one() {
        let mut client = ClientConfig::new();
        let protocol = ("KAFKA_SECURITY_PROTOCOL", "SASL_SSL");
        let (user, password) = (("KAFKA_SASL_USERNAME", "wallet"), ("KAFKA_SASL_PASSWORD", "secret"));
        let security = read(&[protocol, user, password, ("KAFKA_SSL_CA", "/ca.pem")]).unwrap();
        assert!(!format!("{security:?}").contains("secret"));
        security.set(&mut client);
        assert_eq!(client.get("security.protocol"), Some("sasl_ssl"));
        assert_eq!(client.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(client.get("ssl.ca.location"), Some("/ca.pem"));
        assert!(read(&[]).unwrap().login.is_none());
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        let refused = |values: &[(&str, &str)]| read(values).unwrap_err();
        let protocol = ("KAFKA_SECURITY_PROTOCOL", "sasl_ssl");
        assert!(refused(&[protocol]).contains("KAFKA_SASL_USERNAME is not set"));
        let user = ("KAFKA_SASL_USERNAME", "wallet");
        assert!(refused(&[protocol, user]).contains("KAFKA_SASL_PASSWORD is not set"));
        assert!(refused(&[("KAFKA_SECURITY_PROTOCOL", "tls")]).contains("write plaintext, ssl"));
        let mechanism = ("KAFKA_SASL_MECHANISM", "GSSAPI");
        assert!(refused(&[protocol, user, mechanism]).contains("SCRAM-SHA-512"));
    }
}
