//! For which site passkeys are, and from which pages they may be used.

use common_utils::config::{ConfigError, Env};
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

use crate::notices::config::is_loopback;

/// Native apps on Android are known by the hash of the certificate that they are signed with.
const ANDROID: &str = "android:apk-key-hash:";

#[derive(Debug, Clone)]
pub struct PasskeyConfig {
    /// The domain that passkeys belong to. With another one, those that people have are lost.
    pub rp_id: String,
    /// What authenticators call us.
    pub rp_name: String,
    /// The pages and apps that may ask for a passkey; the first is a page.
    pub origins: Vec<Url>,
}

impl PasskeyConfig {
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        let origins = env.text("WEBAUTHN_ORIGINS", "http://localhost:5173,http://localhost:8000");
        let origins = origins.split(',').map(|text| origin(text.trim())).collect::<Result<_, _>>()?;
        let config = Self {
            rp_id: env.text("WEBAUTHN_RP_ID", "localhost"),
            rp_name: env.text("WEBAUTHN_RP_NAME", "Wallet"),
            origins,
        };
        config.webauthn()?;
        Ok(config)
    }

    /// What makes and checks ceremonies; refuses pages on which no browser would use these passkeys.
    pub(crate) fn webauthn(&self) -> Result<Webauthn, ConfigError> {
        let not_ours = |origin: &Url| {
            ConfigError::new(format!(
                "WEBAUTHN_ORIGINS: {origin} is not on {}, the WEBAUTHN_RP_ID, or below it",
                self.rp_id
            ))
        };
        let [first, others @ ..] = self.origins.as_slice() else {
            return Err(ConfigError::new("WEBAUTHN_ORIGINS must name the pages on which passkeys are used"));
        };
        let builder = WebauthnBuilder::new(&self.rp_id, first).map_err(|_| not_ours(first))?;
        let mut builder = builder.rp_name(&self.rp_name);
        for origin in others {
            let an_app = origin.as_str().starts_with(ANDROID);
            if !an_app && WebauthnBuilder::new(&self.rp_id, origin).is_err() {
                return Err(not_ours(origin));
            }
            builder = builder.append_allowed_origin(origin);
        }
        builder.build().map_err(|error| ConfigError::new(format!("passkeys: {error}")))
    }
}

fn origin(text: &str) -> Result<Url, ConfigError> {
    let wrong = |why: &str| ConfigError::new(format!("WEBAUTHN_ORIGINS: `{text}` {why}"));
    let url: Url = text.parse().map_err(|error| wrong(&format!("is no origin: {error}")))?;
    if text.starts_with(ANDROID) {
        return Ok(url);
    }
    let Some(host) = url.host_str() else { return Err(wrong("names no host")) };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        _ => return Err(wrong("must begin with https://, but on this machine")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("must be scheme, host and port alone"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(rp_id: &str, origins: &str) -> Result<PasskeyConfig, ConfigError> {
        let values = [("WEBAUTHN_RP_ID", rp_id), ("WEBAUTHN_ORIGINS", origins)];
        let values = values.map(|(name, value)| (name.to_owned(), value.to_owned()));
        PasskeyConfig::from_env(&Env::from_values("identity", values.into()))
    }

    #[test]
    fn pages_are_on_the_domain_or_below_it_and_encrypted() {
        assert!(PasskeyConfig::from_env(&Env::from_values("identity", [].into())).is_ok());
        assert!(config("example.com", "https://example.com, https://app.example.com:8443").is_ok());
        assert!(config("example.com", "https://example.com,android:apk-key-hash:abc").is_ok());
        for wrong in [
            "",
            "https://evil.org",
            "https://example.com,https://badexample.com",
            "http://example.com",
            "https://example.com/app",
            "android:apk-key-hash:abc",
        ] {
            assert!(config("example.com", wrong).is_err(), "{wrong:?}");
        }
    }
}
