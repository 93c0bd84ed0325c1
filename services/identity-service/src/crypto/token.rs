//! What only its holder can present, once: 256 random bits, stored as SHA-256. A forgotten password is reset with one, and a sign-in
//! goes on with one where a second factor is asked for.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BYTES: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretToken(Zeroizing<[u8; BYTES]>);

impl SecretToken {
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

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_does_not_print() {
        let token = SecretToken::random();
        assert_eq!(SecretToken::parse(&token.encode()).unwrap(), token);
        assert_ne!(SecretToken::random().hash(), token.hash());
        for wrong in ["", "abc", &format!("{}A", *token.encode()), "🙂"] {
            assert!(SecretToken::parse(wrong).is_none(), "{wrong:?}");
        }
        assert_eq!(format!("{token:?}"), "SecretToken(…)");
    }
}
