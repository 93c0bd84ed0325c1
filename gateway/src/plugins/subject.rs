//! A Lua function of `kong.yml`: it copies the token's subject into a header by which rates
//! are limited. Whatever the client sent under that name is overwritten, always.

use std::sync::LazyLock;

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use regex::bytes::Regex;

/// What `kong.yml` has to say, word for word.
pub(super) const LUA: &str = include_str!("subject.lua");

const HEADER: HeaderName = HeaderName::from_static("x-ratelimit-subject");

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[expect(clippy::expect_used, reason = "a constant expression that a test compiles")]
static SUBJECT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?-u)"sub"\s*:\s*"([A-Za-z0-9-]+)""#).expect("compiles"));

pub(super) fn set(headers: &mut HeaderMap) {
    let subject = headers.get(header::AUTHORIZATION).and_then(|value| of(value.as_bytes()));
    headers.insert(HEADER, subject.unwrap_or(const { HeaderValue::from_static("none") }));
}

fn of(authorization: &[u8]) -> Option<HeaderValue> {
    let token = super::jwt::bearer(authorization)?;
    let mut parts = token.splitn(3, |byte| *byte == b'.');
    let (payload, _) = (parts.nth(1)?, parts.next()?);
    let claims = LENIENT.decode(payload).ok()?;
    let subject = SUBJECT.captures(&claims)?.get(1)?;
    HeaderValue::from_bytes(subject.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;

    use super::*;

    fn subject(authorization: &str) -> HeaderValue {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_static("chosen-by-the-client"));
        headers.append(HEADER, HeaderValue::from_static("twice"));
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        set(&mut headers);
        assert_eq!(headers.get_all(HEADER).iter().count(), 1);
        headers[HEADER].clone()
    }

    #[test]
    fn the_subject_of_the_token_and_nothing_else() {
        let token = |claims: &str| format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let ada = token(r#"{"iss":"wallet-platform","sub":"0190-ada"}"#);
        assert_eq!(subject(&format!("Bearer {ada}")), "0190-ada");
        assert_eq!(subject(&format!("bearer   {ada}")), "0190-ada");
        let nested = token(r#"{"name":"\"sub\":\"bola\"","sub" : "ada"}"#);
        assert_eq!(subject(&format!("Bearer {nested}")), "ada");
        for none in ["Basic x", "Bearer x", "Bearer a.b", "Bearer a.!.c", "Bearer e30.e30.c"] {
            assert_eq!(subject(none), "none", "{none}");
        }
    }
}
