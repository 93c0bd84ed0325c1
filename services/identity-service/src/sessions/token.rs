//! Refresh tokens: 256 random bits, known to the database only as a hash.
//!
//! A client whose answer was lost must get the same successor again, although no token is stored. So the successor is
//! kept encrypted under a key that only its predecessor gives: who holds the predecessor can have it, a thief of the
//! database cannot.

use std::fmt;

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead, KeyInit},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_utils::crypto::keyed_hash;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BYTES: usize = 32;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RefreshToken(Zeroizing<[u8; BYTES]>);

/// What does not open was sealed by another token, or is damaged.
#[derive(Debug, thiserror::Error)]
#[error("a stored successor of a refresh token cannot be read")]
pub(crate) struct Unsealable;

impl RefreshToken {
    pub(crate) fn random() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// None for what cannot be a token of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        Some(Self(Zeroizing::new(bytes.as_slice().try_into().ok()?)))
    }

    /// What the client gets.
    pub(crate) fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_slice())
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_slice()).into()
    }

    /// Encrypts the successor under this token.
    pub(crate) fn seal(&self, successor: &Self) -> Result<Vec<u8>, Unsealable> {
        self.cipher()?.encrypt(&Self::nonce(), successor.0.as_slice()).map_err(|_| Unsealable)
    }

    /// The successor that was sealed under this token.
    pub(crate) fn unseal(&self, sealed: &[u8]) -> Result<Self, Unsealable> {
        let bytes = Zeroizing::new(self.cipher()?.decrypt(&Self::nonce(), sealed).map_err(|_| Unsealable)?);
        Ok(Self(Zeroizing::new(bytes.as_slice().try_into().map_err(|_| Unsealable)?)))
    }

    fn cipher(&self) -> Result<Aes256GcmSiv, Unsealable> {
        let key = Zeroizing::new(keyed_hash(self.0.as_slice(), &[b"wallet-platform/refresh-successor/v1"]));
        Aes256GcmSiv::new_from_slice(key.as_slice()).map_err(|_| Unsealable)
    }

    /// A token has one successor, so its key encrypts one message and any nonce is a fresh one.
    fn nonce() -> Nonce {
        Nonce::from([0; 12])
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_predecessor_opens_a_successor() {
        let (token, successor) = (RefreshToken::random(), RefreshToken::random());
        let sealed = token.seal(&successor).unwrap();
        assert_eq!(token.unseal(&sealed).unwrap(), successor);
        assert!(successor.unseal(&sealed).is_err());
        assert!(token.unseal(&sealed[1..]).is_err());
    }

    #[test]
    fn a_token_is_read_back_and_nothing_else_is_one() {
        let token = RefreshToken::random();
        assert_eq!(token.encode().len(), 43);
        assert_eq!(RefreshToken::parse(&token.encode()).unwrap(), token);
        for wrong in ["", "abc", &format!("{}A", token.encode()), &format!("{}=", token.encode()), "🙂"] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
