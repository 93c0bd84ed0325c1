//! How far connections to Postgres are encrypted. The pool and the migrations have drivers of their own; both are told
//! the same.

use std::{fmt::Display, path::PathBuf, str::FromStr, sync::OnceLock};

use anyhow::Context;
use common_utils::config::{ConfigError, Env};
use native_tls::{Certificate, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// `DB_SSL_MODE`, with the words of Postgres.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SslMode {
    Disable,
    /// Encrypted where the server offers it.
    #[default]
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, and the certificate is good and names the host.
    VerifyFull,
}

#[derive(Debug, Clone, Default)]
pub struct SslConfig {
    pub mode: SslMode,
    /// A certificate (PEM) that is trusted beside the system's.
    pub root_cert: Option<PathBuf>,
}

#[derive(Debug)]
pub struct UnknownSslMode;

impl Display for UnknownSslMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("write disable, prefer, require or verify-full")
    }
}

impl FromStr for SslMode {
    type Err = UnknownSslMode;

    fn from_str(text: &str) -> Result<Self, UnknownSslMode> {
        match text {
            "disable" => Ok(Self::Disable),
            "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-full" => Ok(Self::VerifyFull),
            _ => Err(UnknownSslMode),
        }
    }
}

impl SslConfig {
    pub(crate) fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let mode = env.parse("DB_SSL_MODE", SslMode::default())?;
        let root_cert = env.get("DB_SSL_ROOT_CERT").map(PathBuf::from);
        if let Some(path) = &root_cert {
            // The other modes look at no certificate: who names one believes that the server is checked.
            if mode != SslMode::VerifyFull {
                return Err(ConfigError::new("DB_SSL_ROOT_CERT needs DB_SSL_MODE=verify-full"));
            }
            if !path.is_file() {
                return Err(ConfigError::new(format!("DB_SSL_ROOT_CERT={} is no file", path.display())));
            }
        }
        Ok(Self { mode, root_cert })
    }

    /// For the pool.
    pub(crate) fn options(&self, options: PgConnectOptions) -> PgConnectOptions {
        let options = options.ssl_mode(match self.mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
        match &self.root_cert {
            Some(path) => options.ssl_root_cert(path),
            None => options,
        }
    }

    /// For the migrations: when to encrypt, and with what.
    pub(crate) fn mode(&self) -> tokio_postgres::config::SslMode {
        match self.mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            SslMode::Require | SslMode::VerifyFull => tokio_postgres::config::SslMode::Require,
        }
    }

    pub(crate) fn connector(&self) -> anyhow::Result<MakeTlsConnector> {
        let made = if self.mode == SslMode::VerifyFull { self.checking()? } else { unchecked()? };
        Ok(MakeTlsConnector::new(made))
    }

    fn checking(&self) -> anyhow::Result<TlsConnector> {
        let mut builder = TlsConnector::builder();
        if let Some(path) = &self.root_cert {
            let read = || anyhow::Ok(Certificate::from_pem(&std::fs::read(path)?)?);
            let certificate = read().with_context(|| format!("{} is no certificate", path.display()))?;
            builder.add_root_certificate(certificate);
        }
        Ok(builder.build()?)
    }
}

/// Trusts whoever answers. Made once: it reads all certificates of the system, though it needs none.
fn unchecked() -> anyhow::Result<TlsConnector> {
    static MADE: OnceLock<TlsConnector> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let mut builder = TlsConnector::builder();
    builder.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
    let made = builder.build()?;
    Ok(MADE.get_or_init(|| made).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<SslConfig, String> {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        SslConfig::from_env(&Env::from_values("wallet", values)).map_err(|error| error.to_string())
    }

    #[test]
    fn the_modes_are_those_of_postgres() {
        assert_eq!(read(&[]).unwrap().mode, SslMode::Prefer);
        assert_eq!(read(&[("DB_SSL_MODE", "require")]).unwrap().mode, SslMode::Require);
        assert!(read(&[("DB_SSL_MODE", "yes")]).unwrap_err().contains("DB_SSL_MODE=\"yes\""));
    }

    #[test]
    fn a_certificate_that_would_not_be_looked_at_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        for mode in ["disable", "prefer", "require"] {
            let error = read(&[("DB_SSL_MODE", mode), ("DB_SSL_ROOT_CERT", path)]).unwrap_err();
            assert!(error.contains("verify-full"), "{error}");
        }
        let checked = |path| read(&[("DB_SSL_MODE", "verify-full"), ("DB_SSL_ROOT_CERT", path)]);
        assert!(checked(path).unwrap().root_cert.is_some());
        assert!(checked("/nowhere/root.crt").unwrap_err().contains("/nowhere/root.crt"));
    }
}
