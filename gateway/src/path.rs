//! Paths as Kong takes them: decoded where that changes nothing, without `.`, `..` and doubled slashes. Routing and the
//! service both see this one form, so that no spelling of a path can be routed as one thing and served as another.

use std::fmt::Write;

/// A path that no server takes: above the root, with a zero byte, or not UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadPath;

/// Decodes and cleans a path as it came.
pub(crate) fn normalize(raw: &str) -> Result<String, BadPath> {
    if !raw.starts_with('/') {
        return Err(BadPath);
    }
    if !raw.contains('%') && !raw.contains("//") && !raw.contains("/.") {
        return Ok(raw.to_owned());
    }
    remove_dots(&decode(raw)?)
}

/// Decodes what is not reserved; the rest stays, in capitals.
fn decode(raw: &str) -> Result<String, BadPath> {
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.as_bytes();
    while let [first, rest @ ..] = bytes {
        bytes = rest;
        let (b'%', Some((high, low))) = (*first, hex_pair(rest)) else {
            out.push(*first);
            continue;
        };
        bytes = rest.get(2..).unwrap_or_default();
        match high << 4 | low {
            0 => return Err(BadPath),
            byte if b"!*'();:@&=+$,/?%#[]".contains(&byte) => out.extend(format!("%{byte:02X}").into_bytes()),
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_| BadPath)
}

fn hex_pair(bytes: &[u8]) -> Option<(u8, u8)> {
    let digit = |at: usize| {
        let digit = char::from(*bytes.get(at)?).to_digit(16)?;
        u8::try_from(digit).ok()
    };
    Some((digit(0)?, digit(1)?))
}

fn remove_dots(path: &str) -> Result<String, BadPath> {
    let mut kept: Vec<&str> = Vec::new();
    let mut directory = false;
    for segment in path.split('/') {
        directory = matches!(segment, "" | "." | "..");
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop().ok_or(BadPath)?),
            name => kept.push(name),
        }
    }
    let mut clean =
        kept.iter().fold(String::with_capacity(path.len()), |clean, segment| clean + "/" + segment);
    if directory || clean.is_empty() {
        clean.push('/');
    }
    Ok(clean)
}

/// Writes a clean path so that it may stand in a request line again.
pub(crate) fn escape(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&'()*+,/:;=?@[]-_.~%".contains(&byte);
    if path.bytes().all(plain) {
        return path.to_owned();
    }
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_spelling() {
        for (raw, clean) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/%61dmin", "/admin"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%2", "/a%2"),
            ("/.well-known/x", "/.well-known/x"),
        ] {
            assert_eq!(normalize(raw).as_deref(), Ok(clean), "{raw}");
        }
        for bad in ["", "*", "/..", "/a/../../b", "/a%00", "/%ff"] {
            assert_eq!(normalize(bad), Err(BadPath), "{bad}");
        }
    }

    #[test]
    fn what_was_decoded_is_escaped_again() {
        assert_eq!(escape(&normalize("/a%20b/%c3%bc").unwrap()), "/a%20b/%C3%BC");
        assert_eq!(escape("/a%2Fb"), "/a%2Fb");
    }
}
