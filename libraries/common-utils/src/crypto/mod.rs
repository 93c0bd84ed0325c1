//! Keyed hashes, and what is kept encrypted in a database.

pub mod sealing;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// HMAC-SHA256 over the parts, with a zero byte after each: lists of parts without zero bytes, such as ours of text, never run
/// together.
#[expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "HMAC takes keys of every length (RFC 2104)"
)]
pub fn keyed_hash(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length fits");
    for part in parts {
        mac.update(part);
        mac.update(&[0]);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_every_part_count() {
        let hash = keyed_hash(b"key", &[b"ab", b"c"]);
        assert_eq!(hash, keyed_hash(b"key", &[b"ab", b"c"]));
        assert_ne!(hash, keyed_hash(b"yek", &[b"ab", b"c"]));
        assert_ne!(hash, keyed_hash(b"key", &[b"a", b"bc"]));
        assert_ne!(hash, keyed_hash(b"key", &[b"abc"]));
    }
}
