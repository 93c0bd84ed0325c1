//! Phone numbers in E.164. International ones are taken as they are; one without `+` is read as a Nigerian number.

use std::{fmt, str::FromStr};

use phonenumber::{Mode, country::Id};

const LONGEST: usize = 32;

/// A valid number, in E.164: `+2348031234567`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PhoneNumber(String);

#[derive(Debug, thiserror::Error)]
#[error("must be a phone number such as +2348031234567, or a Nigerian one such as 08031234567")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// A number that was parsed before and stored. Numbering plans change; a number that was valid stays its owner's.
    pub fn from_stored(e164: String) -> Self {
        Self(e164)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits without the country's code, as people remember them.
    pub fn national(&self) -> String {
        phonenumber::parse(None, &self.0)
            .map_or_else(|_| self.0.clone(), |number| number.national().value().to_string())
    }
}

impl FromStr for PhoneNumber {
    type Err = InvalidPhoneNumber;

    fn from_str(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let text = text.trim();
        // The parser also reads words, extensions and `tel:` links; here a number is digits and their separators.
        let plain = |c: char| c.is_ascii_digit() || " ()-.".contains(c);
        if text.len() > LONGEST || !text.strip_prefix('+').unwrap_or(text).chars().all(plain) {
            return Err(InvalidPhoneNumber);
        }
        let number = phonenumber::parse(Some(Id::NG), text).map_err(|_| InvalidPhoneNumber)?;
        let of_nigeria = number.code().value() == 234;
        if !number.is_valid() || !(text.starts_with('+') || of_nigeria) {
            return Err(InvalidPhoneNumber);
        }
        Ok(Self(number.format().mode(Mode::E164).to_string()))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_number_are_equal() {
        for text in
            ["+2348031234567", "08031234567", "0803 123 4567", "+234 (0) 803-123-4567", "+234.803.123.4567"]
        {
            assert_eq!(text.parse::<PhoneNumber>().unwrap().as_str(), "+2348031234567", "{text}");
        }
        let abroad: PhoneNumber = "+44 7400 123456".parse().unwrap();
        assert_eq!((abroad.as_str(), abroad.national().as_str()), ("+447400123456", "7400123456"));
    }

    #[test]
    fn numbers_of_the_demonstration_are_valid() {
        for text in ["+2348000000001", "+2348000000002", "+2348020000001", "+2348030000001"] {
            assert_eq!(text.parse::<PhoneNumber>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in [
            "",
            "+",
            "12345",
            "+234803",
            "0803123456789012345",
            "tel:+2348031234567",
            "+2348031234567 ext 5",
            "+234803CALLNOW",
            "+9998031234567",
            "\u{0}08031234567",
            "０８０３１２３４５６７",
            "++2348031234567",
        ] {
            assert!(wrong.parse::<PhoneNumber>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics_and_what_is_taken_is_e164(text in "\\PC{0,40}|[+0-9 ().-]{0,32}") {
            if let Ok(number) = text.parse::<PhoneNumber>() {
                let digits = number.as_str().strip_prefix('+').unwrap();
                prop_assert!((7..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()));
                prop_assert_eq!(number.as_str().parse::<PhoneNumber>().unwrap(), number);
            }
        }
    }
}
