//! Under which names failures are counted. They are keyed hashes, so the table tells nobody who tried to sign in, what they
//! typed into the wrong field, or from where.

use std::{net::IpAddr, sync::Arc};

use common_utils::{
    crypto::{keyed_hash, sealing::KeyFile},
    ids::UserId,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::failures::Scope;

const PURPOSE: &str = "wallet-platform/sign-in-failures/v1";
/// Whoever has an IPv6 address has all of its network.
const V6_NETWORK: usize = 8;

pub(crate) type Key = [u8; 32];

/// Of the counts that an attempt is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttemptKeys {
    pub(crate) pair: Key,
    pub(crate) identifier: Key,
    pub(crate) source: Key,
}

impl AttemptKeys {
    pub(crate) fn key(&self, scope: Scope) -> Key {
        match scope {
            Scope::Pair => self.pair,
            Scope::Identifier => self.identifier,
            Scope::Source => self.source,
        }
    }

    pub(crate) fn all(&self) -> [Key; 3] {
        [self.pair, self.identifier, self.source]
    }
}

#[derive(Clone)]
pub(crate) struct Keys(Arc<Zeroizing<[u8; 32]>>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(…)")
    }
}

impl Keys {
    /// Lost, the counts begin anew.
    pub(crate) fn new(key: &KeyFile) -> Self {
        Self(Arc::new(key.derive(PURPOSE, "key")))
    }

    pub(crate) fn pair(&self, identifier: &str, source: Option<IpAddr>) -> Key {
        self.hash(&[b"pair", &source_bytes(source), identifier.as_bytes()])
    }

    pub(crate) fn identifier(&self, identifier: &str) -> Key {
        self.hash(&[b"identifier", identifier.as_bytes()])
    }

    pub(crate) fn of(&self, identifier: &str, source: Option<IpAddr>) -> AttemptKeys {
        AttemptKeys {
            pair: self.pair(identifier, source),
            identifier: self.identifier(identifier),
            source: self.source(source),
        }
    }

    fn source(&self, source: Option<IpAddr>) -> Key {
        self.hash(&[b"source", &source_bytes(source)])
    }

    /// A place where the owner of an account has signed in. It ends with the account: who has the address or number next begins anew.
    /// That of nobody's account is written by nobody.
    pub(crate) fn place(&self, owner: Option<UserId>, source: Option<IpAddr>) -> Key {
        let owner = owner.map_or(Uuid::nil(), UserId::uuid);
        self.hash(&[b"place-of", &source_bytes(source), owner.as_bytes()])
    }

    /// The same as the release before wrote it. Those places are forgotten 90 days after the last of its instances.
    pub(crate) fn place_of_before(&self, identifier: &str, source: Option<IpAddr>) -> Key {
        self.hash(&[b"place", &source_bytes(source), identifier.as_bytes()])
    }

    /// That the owner was told of those who guess.
    pub(crate) fn told(&self, owner: UserId) -> Key {
        self.hash(&[b"told", owner.uuid().as_bytes()])
    }

    fn hash(&self, parts: &[&[u8]]) -> Key {
        keyed_hash(self.0.as_slice(), parts)
    }
}

fn source_bytes(source: Option<IpAddr>) -> Vec<u8> {
    match source.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => address.octets().to_vec(),
        Some(IpAddr::V6(address)) => address.octets().iter().copied().take(V6_NETWORK).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_an_address_or_a_network_of_ipv6() {
        let keys = Keys::new(&KeyFile::new([7; 32]).unwrap());
        let source = |text: &str| keys.source(Some(text.parse().unwrap()));
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_ne!(source("203.0.113.1"), source("203.0.113.2"));
        assert_eq!(source("203.0.113.1"), source("::ffff:203.0.113.1"));
        assert_ne!(keys.source(None), source("203.0.113.1"));
        assert_ne!(keys.identifier("a"), keys.pair("a", None));
        assert_ne!(keys.place_of_before("a", None), keys.pair("a", None));
        let (one, other) = (Some(UserId::new()), Some(UserId::new()));
        assert_ne!(keys.place(one, None), keys.place(other, None));
        assert_ne!(keys.place(None, None), keys.place_of_before("", None));
    }
}
