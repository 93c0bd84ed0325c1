//! How a person is reached: an email address and a phone number, each in the one form in which it is kept and
//! compared. They are personal data, so `Debug` does not show them.

use std::{fmt, str::FromStr};

/// RFC 5321 § 4.5.3.1: no longer address can be delivered to.
const LONGEST_EMAIL: usize = 254;
/// E.164 has 15 digits; people write spaces and dashes between them.
const LONGEST_PHONE_TEXT: usize = 40;

/// An email address, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailAddress(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an email address, such as ada@example.com")]
pub struct InvalidEmailAddress;

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EmailAddress {
    type Err = InvalidEmailAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let options = email_address::Options::default()
            .with_required_tld()
            .without_display_text()
            .without_domain_literal();
        let fits = text.len() <= LONGEST_EMAIL
            && !text.chars().any(|letter| letter.is_control() || letter.is_whitespace())
            && email_address::EmailAddress::parse_with_options(text, options).is_ok();
        if fits { Ok(Self(text.to_lowercase())) } else { Err(InvalidEmailAddress) }
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(..)")
    }
}

/// A phone number in E.164, such as `+2348031234567`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumber(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a phone number with its country code, such as +2348031234567")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidPhoneNumber;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if !text.starts_with('+') || text.len() > LONGEST_PHONE_TEXT {
            return Err(InvalidPhoneNumber);
        }
        let number = phonenumber::parse(None, text).map_err(|_| InvalidPhoneNumber)?;
        let written = number.format().mode(phonenumber::Mode::E164).to_string();
        let digits = written.strip_prefix('+').unwrap_or_default();
        let whole = (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if whole && phonenumber::is_valid(&number) { Ok(Self(written)) } else { Err(InvalidPhoneNumber) }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_is_compared_in_lower_case() {
        let parse = |text: &str| text.parse::<EmailAddress>().map(|email| email.0);
        assert_eq!(parse(" Ada@Example.COM "), Ok("ada@example.com".to_owned()));
        let long = format!("{}@example.com", "a".repeat(250));
        for wrong in ["", "ada", "ada@", "@example.com", "a b@example.com", "Ada <ada@example.com>", "a\0@b.co", &long]
        {
            assert_eq!(parse(wrong), Err(InvalidEmailAddress), "{wrong:?}");
        }
    }

    #[test]
    fn a_phone_number_is_kept_as_e164() {
        let parse = |text: &str| text.parse::<PhoneNumber>().map(|phone| phone.0);
        for same in ["+2348031234567", "+234 803 123 4567", " +234-803-123-4567"] {
            assert_eq!(parse(same), Ok("+2348031234567".to_owned()), "{same:?}");
        }
        let long = format!("+{}", "2".repeat(60));
        for wrong in ["", "+", "08031234567", "2348031234567", "+234", "+0000000000", "+234x", "+1\0", &long] {
            assert_eq!(parse(wrong), Err(InvalidPhoneNumber), "{wrong:?}");
        }
    }

    #[test]
    fn neither_prints_itself() {
        let email: EmailAddress = "ada@example.com".parse().unwrap();
        let phone: PhoneNumber = "+2348031234567".parse().unwrap();
        assert_eq!(format!("{email:?} {phone:?}"), "EmailAddress(..) PhoneNumber(..)");
    }
}
