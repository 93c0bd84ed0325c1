//! The token with which a forgotten password is reset: 256 random bits, stored as SHA-256.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BYTES: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResetToken(Zeroizing<[u8; BYTES]>);

impl ResetToken {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// None for what cannot be a token of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// What is sent.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }
}

impl fmt::Debug for ResetToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_does_not_print() {
        let token = ResetToken::random();
        assert_eq!(ResetToken::parse(&token.encode()).unwrap(), token);
        assert_ne!(ResetToken::random().hash(), token.hash());
        for wrong in ["", "abc", &format!("{}A", *token.encode()), "🙂"] {
            assert!(ResetToken::parse(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "ResetToken(…)");
    }
}
