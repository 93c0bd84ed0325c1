//! Where a call comes from. Behind a gateway that is what the gateway says, and anybody can say it, so it counts only from
//! proxies that are trusted.
//!
//! Each proxy appends to `X-Forwarded-For` whom it was called by. Read from the end, the first address that is no proxy of ours
//! is the client; what stands before it, the client has written.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::{HeaderMap, HeaderName, request::Parts},
};
use ipnet::IpNet;

use crate::config::{ConfigError, Env};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
/// The gateway of a machine of one's own.
const DEFAULT: &str = "127.0.0.0/8,::1/128";

/// The networks whose word about the client is taken: the gateway's.
#[derive(Debug, Clone)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// The address of who calls, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl TrustedProxies {
    /// `TRUSTED_PROXIES`, addresses and networks with commas between them.
    pub fn from_env(env: &Env) -> Result<Self, ConfigError> {
        env.text("TRUSTED_PROXIES", DEFAULT).parse()
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Without a peer the call was made in this process, by the embedded gateway.
    fn client(&self, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.map(|address| address.to_canonical());
        if peer.is_some_and(|peer| !self.has(peer)) {
            return peer;
        }
        let mut nearest = peer;
        for hop in hops(headers).into_iter().rev() {
            // What cannot be read hides who stands before it.
            let Some(address) = hop else { return nearest };
            nearest = Some(address);
            if !self.has(address) {
                return nearest;
            }
        }
        if nearest == peer { real_ip(headers).or(peer) } else { nearest }
    }
}

impl Default for TrustedProxies {
    /// Loopback.
    fn default() -> Self {
        let v4 = Ipv4Addr::LOCALHOST.into();
        Self(Arc::new([IpNet::new_assert(v4, 8), IpNet::from(IpAddr::from(std::net::Ipv6Addr::LOCALHOST))]))
    }
}

impl FromStr for TrustedProxies {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let network = |part: &str| {
            let part = part.trim();
            let parsed = part.parse::<IpNet>().or_else(|_| part.parse::<IpAddr>().map(IpNet::from));
            parsed.map_err(|_| {
                ConfigError::new(format!("TRUSTED_PROXIES: {part:?} is no address and no network"))
            })
        };
        text.split(',').map(network).collect::<Result<Vec<_>, _>>().map(|networks| Self(networks.into()))
    }
}

impl<S> FromRequestParts<S> for ClientAddress
where
    S: Send + Sync,
    TrustedProxies: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Ok(Self(TrustedProxies::from_ref(state).client(peer, &parts.headers)))
    }
}

/// All that the proxies have said, the client's own word first.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',').map(address)).collect()
}

fn real_ip(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(REAL_IP).and_then(|value| address(value.as_bytes()))
}

/// Some write the port, too, and IPv6 in brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let plain = text.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    plain.or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &str, peer: Option<&str>, headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let trusted: TrustedProxies = trusted.parse().unwrap();
        trusted.client(peer.map(|peer| peer.parse().unwrap()), &map).map(|address| address.to_string())
    }

    #[test]
    fn a_stranger_is_believed_nothing() {
        let claim = [("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "203.0.113.9")];
        assert_eq!(client(DEFAULT, Some("198.51.100.7"), &claim).as_deref(), Some("198.51.100.7"));
        assert_eq!(client("10.0.0.0/8", Some("127.0.0.1"), &claim).as_deref(), Some("127.0.0.1"));
    }

    #[test]
    fn the_last_that_is_no_proxy_is_the_client() {
        for (forwarded, told) in [
            (&["203.0.113.9"][..], "203.0.113.9"),
            (&["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
            (&["1.2.3.4", "203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            (&["1.2.3.4, nonsense, 10.0.0.2"], "10.0.0.2"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            (&["203.0.113.9:4711"], "203.0.113.9"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["::ffff:203.0.113.9"], "203.0.113.9"),
            (&[""], "10.0.0.1"),
        ] {
            let headers: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let trusted = "10.0.0.0/8, ::1";
            assert_eq!(client(trusted, Some("10.0.0.1"), &headers).as_deref(), Some(told), "{forwarded:?}");
        }
    }

    #[test]
    fn without_the_list_the_single_word_counts_and_without_both_the_peer() {
        let real = [("x-real-ip", "203.0.113.9")];
        assert_eq!(client(DEFAULT, Some("::1"), &real).as_deref(), Some("203.0.113.9"));
        assert_eq!(client(DEFAULT, Some("::ffff:127.0.0.1"), &real).as_deref(), Some("203.0.113.9"));
        assert_eq!(client(DEFAULT, Some("127.0.0.1"), &[]).as_deref(), Some("127.0.0.1"));
        assert_eq!(client(DEFAULT, None, &real).as_deref(), Some("203.0.113.9"));
        assert_eq!(client(DEFAULT, None, &[]), None);
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        let error = "10.0.0.0/8,everybody".parse::<TrustedProxies>().unwrap_err();
        assert!(error.to_string().contains("\"everybody\""), "{error}");
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
        let own = TrustedProxies::default();
        assert!(own.has("127.9.9.9".parse().unwrap()) && own.has("::1".parse().unwrap()));
    }
}
