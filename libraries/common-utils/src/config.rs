//! Configuration comes from the environment, is read once at start, and is complete or refused: the first missing or
//! wrong variable is named in the error.
//!
//! A variable may be given for one service only by its prefix: `WALLET_PORT` wins over `PORT`. In `standalone`,
//! where four services share one environment, `PORT`, `DB_NAME` and `KAFKA_CLIENT_ID` are read with the prefix only.
//! What is empty counts as not set.

use std::{
    collections::HashMap, ffi::OsString, fmt::Display, path::PathBuf, str::FromStr, sync::Arc, time::Duration,
};

use secrecy::SecretString;

use crate::money::{Currency, UnknownCurrency};

#[derive(Debug, thiserror::Error)]
#[error("configuration: {0}")]
pub struct ConfigError(String);

impl ConfigError {
    /// For values that can be read and make no sense, by themselves or together.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// The environment as one service sees it.
#[derive(Clone)]
pub struct Env {
    prefix: String,
    shared: bool,
    values: Arc<HashMap<String, String>>,
}

impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_struct("Env").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Env {
    /// The process environment, for the only service in this process.
    pub fn of_process(service: &str) -> Self {
        Self::from_os_values(service, std::env::vars_os())
    }

    /// A name or value that is not UTF-8 is none of ours; reading it as text would panic.
    fn from_os_values(service: &str, values: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::from_values(service, values.filter_map(text).collect())
    }

    /// Given values; for tests.
    pub fn from_values(service: &str, values: HashMap<String, String>) -> Self {
        Self { prefix: service.to_uppercase(), shared: false, values: Arc::new(values) }
    }

    /// The same environment, seen by `service` as one of several in this process.
    #[must_use]
    pub fn shared_by(&self, service: &str) -> Self {
        Self { prefix: service.to_uppercase(), shared: true, values: Arc::clone(&self.values) }
    }

    /// The same environment with `name` set, whatever it was.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut values = HashMap::clone(&self.values);
        values.insert(name.to_owned(), value.into());
        Self { values: Arc::new(values), ..self.clone() }
    }

    /// The same environment with `name` set where it was not.
    #[must_use]
    pub fn with_default(&self, name: &str, value: impl Into<String>) -> Self {
        if self.get(name).is_some() { self.clone() } else { self.with(name, value) }
    }

    /// The value, if it is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let plain_counts = !(self.shared && matches!(name, "PORT" | "DB_NAME" | "KAFKA_CLIENT_ID"));
        let set = |name: &str| self.values.get(name).map(String::as_str).filter(|value| !value.is_empty());
        set(&format!("{}_{name}", self.prefix)).or_else(|| set(name).filter(|_| plain_counts))
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        self.get(name).unwrap_or(default).to_owned()
    }

    pub fn require(&self, name: &str) -> Result<String, ConfigError> {
        self.get(name).map(str::to_owned).ok_or_else(|| ConfigError(format!("{name} is not set")))
    }

    pub fn secret(&self, name: &str) -> Option<SecretString> {
        self.get(name).map(SecretString::from)
    }

    pub fn parse<T>(&self, name: &str, default: T) -> Result<T, ConfigError>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.get(name).map_or(Ok(default), |text| {
            text.parse().map_err(|error| ConfigError(format!("{name}={text:?} cannot be read: {error}")))
        })
    }

    /// A whole number of seconds.
    pub fn seconds(&self, name: &str, default: u64) -> Result<Duration, ConfigError> {
        self.parse(name, default).map(Duration::from_secs)
    }

    /// A span such as `900`, `15m`, `12h` or `7d`; a bare number is seconds.
    pub fn duration(&self, name: &str, default: Duration) -> Result<Duration, ConfigError> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let seconds_a_unit = match unit {
            "" | "s" => Some(1),
            "m" => Some(60),
            "h" => Some(60 * 60),
            "d" => Some(24 * 60 * 60),
            _ => None,
        };
        let number: Option<u64> = number.parse().ok();
        number
            .zip(seconds_a_unit)
            .and_then(|(number, seconds)| number.checked_mul(seconds))
            .map(Duration::from_secs)
            .ok_or_else(|| ConfigError(format!("{name}={text:?} is no time span: write 900, 15m, 12h or 7d")))
    }

    /// Where key files lie.
    pub fn keys_dir(&self) -> PathBuf {
        PathBuf::from(self.text("KEYS_DIR", ".data/keys"))
    }

    /// Where identity-service answers.
    pub fn identity_url(&self) -> String {
        self.text("IDENTITY_URL", "http://127.0.0.1:3001")
    }

    /// Where wallet-service answers.
    pub fn wallet_url(&self) -> String {
        self.text("WALLET_URL", "http://127.0.0.1:3002")
    }

    /// Where transaction-service answers.
    pub fn transaction_url(&self) -> String {
        self.text("TRANSACTION_URL", "http://127.0.0.1:3003")
    }
}

/// Where a service listens.
#[derive(Debug, Clone)]
pub struct ListenConfig {
    pub host: String,
    pub port: u16,
}

impl ListenConfig {
    pub fn from_env(env: &Env, default_port: u16) -> Result<Self, ConfigError> {
        Ok(Self { host: env.text("HOST", "127.0.0.1"), port: env.parse("PORT", default_port)? })
    }

    pub async fn bind(&self) -> anyhow::Result<tokio::net::TcpListener> {
        let address = (self.host.as_str(), self.port);
        tokio::net::TcpListener::bind(address)
            .await
            .map_err(|error| anyhow::anyhow!("cannot listen on {}:{}: {error}", self.host, self.port))
    }
}

/// Redis, which makes us faster and never decides.
#[derive(Debug, Clone)]
pub struct RedisConfig {
    pub host: String,
    pub port: u16,
    pub password: Option<SecretString>,
}

impl RedisConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        Ok(Self {
            host: env.text("REDIS_HOST", "127.0.0.1"),
            port: env.parse("REDIS_PORT", 6379)?,
            password: env.secret("REDIS_PASSWORD"),
        })
    }
}

/// The currencies in which wallets are opened and money is sent, as `NGN,USD`.
#[derive(Debug, Clone)]
pub struct OpenCurrencies(Vec<Currency>);

impl OpenCurrencies {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let default = Self(vec![Currency::NGN, Currency::USD, Currency::GHS, Currency::KES]);
        let open = env.parse("OPEN_CURRENCIES", default)?;
        if !open.contains(Currency::NGN) {
            let message = "OPEN_CURRENCIES must have NGN: everybody's first wallet is in it";
            return Err(ConfigError::new(message));
        }
        Ok(open)
    }

    pub fn contains(&self, currency: Currency) -> bool {
        self.0.contains(&currency)
    }
}

impl FromStr for OpenCurrencies {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(|code| code.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn env(values: &[(&str, &str)]) -> Env {
        let values = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Env::from_values("wallet", values)
    }

    #[test]
    fn the_prefix_wins_and_empty_counts_as_unset() {
        let env = env(&[("PORT", "1"), ("WALLET_PORT", "2"), ("HOST", "")]);
        assert_eq!(env.get("PORT"), Some("2"));
        assert_eq!(env.shared_by("admin").get("PORT"), None);
        assert_eq!(env.text("HOST", "127.0.0.1"), "127.0.0.1");
        let env = self::env(&[("WALLET_HOST", ""), ("HOST", "::1")]);
        assert_eq!(env.get("HOST"), Some("::1"));
    }

    #[test]
    fn what_is_not_utf_8_is_passed_over() {
        let odd = OsString::from_vec(vec![0xff]);
        let values = [("ODD".into(), odd.clone()), (odd, "1".into()), ("PORT".into(), "1".into())];
        let env = Env::from_os_values("wallet", values.into_iter());
        assert_eq!((env.get("ODD"), env.get("PORT")), (None, Some("1")));
    }

    #[test]
    fn spans_are_read() {
        let env = env(&[("A", "90"), ("B", "15m"), ("C", "7d"), ("D", "1w"), ("E", "m")]);
        let span = |name| env.duration(name, Duration::ZERO).map(|span| span.as_secs());
        assert_eq!([span("A").unwrap(), span("B").unwrap(), span("C").unwrap()], [90, 900, 604_800]);
        assert!(span("D").is_err() && span("E").is_err());
    }

    #[test]
    fn naira_is_always_open() {
        let open = |codes| OpenCurrencies::from_env(&env(&[("OPEN_CURRENCIES", codes)]));
        assert!(open("").unwrap().contains(Currency::USD));
        assert!(!open("KES, NGN").unwrap().contains(Currency::USD));
        let error = open("USD,GHS").unwrap_err();
        assert!(error.to_string().contains("OPEN_CURRENCIES must have NGN"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named() {
        let error = env(&[("PORT", "many")]).parse("PORT", 1_u16).unwrap_err();
        assert!(error.to_string().contains("PORT=\"many\""), "{error}");
    }
}
