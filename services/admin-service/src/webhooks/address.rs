//! Where webhooks may go: to the public internet, by HTTPS. Staff write the addresses, so without this they could have the
//! platform call what only it can reach: its own services, a cloud's metadata.
//!
//! A name is checked when it is connected to, by the resolver of the client, which gives public addresses only: what the name
//! stood for earlier does not matter. An address without a name is not resolved, so it is checked before each attempt.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

const LONGEST: usize = 2_000;
/// How long a name may take while staff wait.
const LOOK_UP: Duration = Duration::from_secs(3);

const fn v4(octets: [u8; 4], bits: u8) -> Ipv4Net {
    let [a, b, c, d] = octets;
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(first: u16, second: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0), bits)
}

/// IANA's special-purpose registry (RFC 6890), multicast, and what is reserved.
const NOT_PUBLIC_V4: &[Ipv4Net] = &[
    v4([0, 0, 0, 0], 8),       // this network
    v4([10, 0, 0, 0], 8),      // private
    v4([100, 64, 0, 0], 10),   // shared by carriers
    v4([127, 0, 0, 0], 8),     // loopback
    v4([169, 254, 0, 0], 16),  // link-local, and the metadata of clouds
    v4([172, 16, 0, 0], 12),   // private
    v4([192, 0, 0, 0], 24),    // protocol assignments
    v4([192, 0, 2, 0], 24),    // documentation
    v4([192, 88, 99, 0], 24),  // relays of 6to4
    v4([192, 168, 0, 0], 16),  // private
    v4([198, 18, 0, 0], 15),   // benchmarks
    v4([198, 51, 100, 0], 24), // documentation
    v4([203, 0, 113, 0], 24),  // documentation
    v4([224, 0, 0, 0], 4),     // multicast
    v4([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// All unicast that is given out today. What lies outside is special: loopback, link-local, unique local, multicast, and the
/// forms that hold an IPv4 address (`::ffff:0:0/96`, `64:ff9b::/96`).
const UNICAST_V6: Ipv6Net = v6(0x2000, 0, 3);
const NOT_PUBLIC_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 23),      // protocol assignments: Teredo, ORCHID, benchmarks
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x2002, 0, 16),      // 6to4, which holds an IPv4 address
    v6(0x3fff, 0, 20),      // documentation
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !NOT_PUBLIC_V4.iter().any(|net| net.contains(&address)),
        IpAddr::V6(address) => {
            UNICAST_V6.contains(&address) && !NOT_PUBLIC_V6.iter().any(|net| net.contains(&address))
        }
    }
}

/// Why webhooks do not go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("must be a URL of at most {LONGEST} characters, such as https://example.com/webhooks")]
    NoUrl,
    #[error("must begin with https://")]
    NotHttps,
    #[error("must not hold a user name or a password")]
    Credentials,
    #[error("must not have a fragment")]
    Fragment,
    #[error("must lead to the public internet")]
    Private,
}

impl AddressError {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NoUrl => "invalid",
            Self::NotHttps => "https_required",
            Self::Credentials => "credentials",
            Self::Fragment => "fragment",
            Self::Private => "private_address",
        }
    }
}

/// The rule. In development, services on this machine may be called, and without TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) allow_private: bool,
}

impl Addresses {
    pub(crate) fn parse(self, text: &str) -> Result<Url, AddressError> {
        let url: Url = text.parse().map_err(|_| AddressError::NoUrl)?;
        // What is stored is the URL as it was understood, which may be longer than what was written.
        if url.as_str().len() > LONGEST || !matches!(url.scheme(), "https" | "http") {
            return Err(AddressError::NoUrl);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Credentials);
        }
        if url.fragment().is_some() {
            return Err(AddressError::Fragment);
        }
        self.check(&url)?;
        Ok(url)
    }

    /// Before each attempt too: what was allowed once may not be any more.
    pub(crate) fn check(self, url: &Url) -> Result<(), AddressError> {
        if self.allow_private {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(AddressError::NotHttps);
        }
        match literal(url) {
            Some(address) if !is_public(address) => Err(AddressError::Private),
            _ => Ok(()),
        }
    }

    /// Tells staff at once where they wrote a name that leads nowhere public. One that cannot be resolved now may be later.
    pub(crate) async fn require_public(self, url: &Url) -> Result<(), AddressError> {
        let Some(host) = url.host_str().filter(|_| !self.allow_private && literal(url).is_none()) else {
            return Ok(());
        };
        match tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((host, 0))).await {
            Ok(Ok(found)) => {
                let found: Vec<SocketAddr> = found.collect();
                let private = !found.is_empty() && !found.iter().any(|address| is_public(address.ip()));
                if private { Err(AddressError::Private) } else { Ok(()) }
            }
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }
}

/// The address where no name stands. URLs write every form of one (`127.1`, `0x7f000001`) in the usual way.
fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
struct NoPublicAddress;

/// Resolves names as the system does, and gives the public ones of what it finds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NoPublicAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRICT: Addresses = Addresses { allow_private: false };
    const LENIENT: Addresses = Addresses { allow_private: true };

    #[test]
    fn each_class_of_addresses_that_is_not_public_is_known() {
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd12:3456::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn an_address_of_the_public_internet_is_taken() {
        for url in [
            "https://example.com",
            "https://example.com:8443/hooks?a=b",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
        ] {
            assert!(STRICT.parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn each_other_address_is_refused_for_its_reason() {
        use AddressError::{Credentials, Fragment, NoUrl, NotHttps, Private};
        let long = format!("https://example.com/{}", "x".repeat(LONGEST));
        for (url, error) in [
            ("", NoUrl),
            ("example.com", NoUrl),
            ("ftp://example.com", NoUrl),
            ("file:///etc/passwd", NoUrl),
            ("https://", NoUrl),
            (&long, NoUrl),
            ("http://example.com", NotHttps),
            ("https://ada@example.com", Credentials),
            ("https://:secret@example.com", Credentials),
            ("https://example.com/#top", Fragment),
            ("https://127.0.0.1", Private),
            ("https://127.1", Private),
            ("https://0x7f000001", Private),
            ("https://2130706433", Private),
            ("https://0177.0.0.1", Private),
            ("https://127.0.0.1.", Private),
            ("https://[::1]:3004", Private),
            ("https://[::ffff:10.0.0.1]", Private),
            ("https://169.254.169.254/latest/meta-data", Private),
        ] {
            assert_eq!(STRICT.parse(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn in_development_this_machine_may_be_called() {
        for url in ["http://127.0.0.1:8080/hook", "http://localhost", "https://10.0.0.7"] {
            assert!(LENIENT.parse(url).is_ok(), "{url}");
        }
        assert_eq!(LENIENT.parse("http://ada:secret@127.0.0.1").unwrap_err(), AddressError::Credentials);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_and_never_given_to_a_connection() {
        let url = STRICT.parse("https://localhost/").unwrap();
        assert_eq!(STRICT.require_public(&url).await, Err(AddressError::Private));
        assert_eq!(LENIENT.require_public(&url).await, Ok(()));
        let nowhere = STRICT.parse("https://no-such-name.invalid/").unwrap();
        assert_eq!(STRICT.require_public(&nowhere).await, Ok(()), "it may be there later");
        let resolved = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert_eq!(resolved.err().unwrap().to_string(), NoPublicAddress.to_string());
    }
}
