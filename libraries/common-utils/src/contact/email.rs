//! E-mail addresses: one spelling each.

use std::{fmt, str::FromStr};

use email_address::{EmailAddress, Options};

const LONGEST: usize = 254;

/// An address in lower case. ASCII only: letters that merely look alike would be different people.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Email(String);

#[derive(Debug, thiserror::Error)]
#[error("must be an e-mail address such as ada@example.com, in ASCII, of at most {LONGEST} characters")]
pub struct InvalidEmail;

impl Email {
    /// One that is in the one spelling already, as it was stored.
    pub fn from_stored(email: String) -> Self {
        Self(email)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_graphic() && c != '"';
        if text.len() > LONGEST || !text.chars().all(plain) {
            return Err(InvalidEmail);
        }
        let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
        EmailAddress::parse_with_options(text, options).map_err(|_| InvalidEmail)?;
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_equal() {
        let email: Email = " Ada.Obi+Wallet@Example.COM ".parse().unwrap();
        assert_eq!(email.as_str(), "ada.obi+wallet@example.com");
        assert_eq!(email.local_part(), "ada.obi+wallet");
    }

    #[test]
    fn what_is_no_plain_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@[127.0.0.1]",
            "a da@example.com",
            "ada@exa\u{0}mple.com",
            "Ada <ada@example.com>",
            "\"ada\"@example.com",
            "àda@example.com",
            "ada@@example.com",
            "ada@example..com",
            &long,
        ] {
            assert!(wrong.parse::<Email>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn it_does_not_print() {
        assert!(!format!("{:?}", "ada@example.com".parse::<Email>().unwrap()).contains("ada"));
    }
}
