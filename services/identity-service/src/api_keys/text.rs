//! An API key as a machine has it: `wpk_<secret's id>_<256 random bits>_<checksum>`, all in hexadecimal. The prefix is what scanners of
//! source code look for; the checksum tells them a real key from what looks like one, and us a typo without a look at the
//! database. It does not print, and only a hash of it is stored.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::entity::SecretId;

const PREFIX: &str = "wpk";
const BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

pub(crate) struct KeyText {
    pub(crate) id: SecretId,
    secret: Zeroizing<[u8; BYTES]>,
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What all may see of a key, and what its owner finds a lost one by.
pub(crate) fn prefix_of(id: SecretId) -> String {
    format!("{PREFIX}_{}", id.uuid().simple())
}

impl KeyText {
    pub(crate) fn random() -> Self {
        Self { id: SecretId::new(), secret: Zeroizing::new(rand::random()) }
    }

    /// None for what cannot be a key of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (body, checksum) = text.rsplit_once('_')?;
        if hex_of(&checksum_of(body)) != checksum {
            return None;
        }
        let mut parts = body.split('_');
        let (prefix, id, secret) = (parts.next()?, parts.next()?, parts.next()?);
        if prefix != PREFIX || parts.next().is_some() || id.len() != 2 * size_of::<Uuid>() {
            return None;
        }
        let mut bytes = Zeroizing::new([0; BYTES]);
        read_hex(secret, bytes.as_mut_slice())?;
        Some(Self { id: SecretId::from(Uuid::try_parse(id).ok()?), secret: bytes })
    }

    /// What its owner gets, once.
    pub(crate) fn encode(&self) -> Zeroizing<String> {
        let secret = Zeroizing::new(hex_of(self.secret.as_slice()));
        let body = Zeroizing::new(format!("{}_{}", prefix_of(self.id), secret.as_str()));
        Zeroizing::new(format!("{}_{}", body.as_str(), hex_of(&checksum_of(&body))))
    }

    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret.as_slice()).into()
    }

    /// Whether this is what was stored, in the same time wherever it differs.
    pub(crate) fn is(&self, stored: &[u8]) -> bool {
        self.hash().as_slice().ct_eq(stored).into()
    }
}

fn checksum_of(body: &str) -> [u8; CHECKSUM_BYTES] {
    let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(body).into();
    [a, b, c, d]
}

fn hex_of(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Lower case only, so that a key is written in one way.
fn read_hex(text: &str, into: &mut [u8]) -> Option<()> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != 2 * into.len() {
        return None;
    }
    for (byte, pair) in into.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_back() {
        let key = KeyText::random();
        let text = key.encode();
        assert_eq!(text.len(), 3 + 1 + 32 + 1 + 64 + 1 + 8);
        let read = KeyText::parse(&text).unwrap();
        assert_eq!(read.id, key.id);
        assert!(read.is(&key.hash()) && !read.is(&KeyText::random().hash()) && !read.is(b""));
        assert!(!format!("{key:?}").contains(&text[40..]));
    }

    #[test]
    fn a_typo_is_found() {
        let text = KeyText::random().encode();
        for (place, old) in text.char_indices() {
            let new = if old == '0' { "1" } else { "0" };
            let mut wrong = text.as_str().to_owned();
            wrong.replace_range(place..=place, new);
            assert!(KeyText::parse(&wrong).is_none(), "{place}");
        }
        for end in 0..text.len() {
            assert!(KeyText::parse(&text[..end]).is_none(), "{end}");
        }
        for wrong in [format!("{}0", text.as_str()), format!(" {}", text.as_str()), text.to_uppercase()] {
            assert!(KeyText::parse(&wrong).is_none());
        }
    }

    #[test]
    fn a_right_checksum_alone_makes_no_key() {
        for body in ["", "wpk", "wpk_0_0", "wpk_00_00_00", "xyz_0_0", "wpk__"] {
            assert!(KeyText::parse(&format!("{body}_{}", hex_of(&checksum_of(body)))).is_none(), "{body}");
        }
    }
}
