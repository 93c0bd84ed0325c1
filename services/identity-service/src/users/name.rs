//! Names of people: trimmed, 1 to 100 characters of any script, none of them a control character.

use std::{fmt, str::FromStr};

const LONGEST: usize = 100;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PersonName(String);

#[derive(Debug, thiserror::Error)]
#[error("must have 1 to {LONGEST} characters, none of them a control character")]
pub(crate) struct InvalidName;

impl PersonName {
    /// In the place of a name that is not kept.
    pub(crate) fn erased() -> Self {
        Self("Erased".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PersonName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        let fits = (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName) }
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_counted_in_characters() {
        assert_eq!("  Adé-Ọlá O'Neil ".parse::<PersonName>().unwrap().as_str(), "Adé-Ọlá O'Neil");
        assert!("ọ".repeat(100).parse::<PersonName>().is_ok());
        for wrong in ["", "   ", "A\u{0}da", "A\nda", &"a".repeat(101)] {
            assert!(wrong.parse::<PersonName>().is_err(), "{wrong:?}");
        }
    }
}
