//! What people call a key of theirs, so that they know it again in a list: trimmed, 1 to 100 characters of any script, none of
//! them a control character.

use std::str::FromStr;

const LONGEST: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {LONGEST} characters, none of them a control character")]
pub(crate) struct InvalidKeyName;

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, InvalidKeyName> {
        let text = text.trim();
        let fits = (1..=LONGEST).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidKeyName) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_counted_in_characters() {
        assert_eq!(" Ada's phone ".parse::<KeyName>().unwrap().as_str(), "Ada's phone");
        assert!("ọ".repeat(100).parse::<KeyName>().is_ok());
        for wrong in ["", "  ", "a\u{0}b", "a\nb", &"a".repeat(101)] {
            assert_eq!(wrong.parse::<KeyName>(), Err(InvalidKeyName), "{wrong:?}");
        }
    }
}
