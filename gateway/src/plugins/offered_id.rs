//! A Lua function of `kong.yml`: a correlation id that no service would take over is taken off the request, so that
//! the plugin makes one, and the client and the services speak of the same.

use http::{HeaderMap, HeaderName};

/// What `kong.yml` has to say, word for word.
pub(super) const LUA: &str = include_str!("offered_id.lua");

const HEADER: HeaderName = HeaderName::from_static("x-correlation-id");

pub(super) fn clear(headers: &mut HeaderMap) {
    let mut offered = headers.get_all(&HEADER).iter();
    let one_that_fits = match (offered.next(), offered.next()) {
        (Some(id), None) => fits(id.as_bytes()),
        _ => false,
    };
    if !one_that_fits {
        headers.remove(&HEADER);
    }
}

fn fits(id: &[u8]) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=64).contains(&id.len()) && id.iter().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of these headers.
    fn left(offered: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in offered {
            headers.append(HEADER, http::HeaderValue::from_bytes(value).unwrap());
        }
        clear(&mut headers);
        assert!(headers.get_all(HEADER).iter().count() < 2);
        headers.get(HEADER).map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn only_what_the_services_take_over_is_left() {
        let (longest, long) = ("x".repeat(64), "x".repeat(65));
        for fits in ["a", "order-17.a_B", &longest] {
            assert_eq!(left(&[fits.as_bytes()]).as_deref(), Some(fits));
            assert_eq!(common_utils::correlation::accept(Some(fits)), fits);
        }
        for wrong in ["", "a b", "a,b", "ü", "<a>", &long] {
            assert_eq!(left(&[wrong.as_bytes()]), None, "{wrong}");
            assert_ne!(common_utils::correlation::accept(Some(wrong)), wrong);
        }
        assert_eq!(left(&[b"\xff"]), None);
        assert_eq!(left(&[b"a", b"a"]), None);
        assert_eq!(left(&[]), None);
    }
}
