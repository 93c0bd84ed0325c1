//! Whether a webhook is the provider's: hex HMAC-SHA512 over the raw body, compared in constant time.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha512;

use crate::providers::SignatureError;

pub const HEADER: &str = "x-xpresswallet-signature";

pub(super) fn verify(secret: &SecretString, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
    let mut offered = headers.get_all(HEADER).iter();
    let first = offered.next().ok_or(SignatureError::Missing)?;
    // Two of them would leave open which one counts.
    if offered.next().is_some() {
        return Err(SignatureError::Wrong);
    }
    let signature = hex::decode(first.as_bytes()).map_err(|_| SignatureError::Wrong)?;
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.expose_secret().as_bytes())
        .map_err(|_| SignatureError::Wrong)?;
    mac.update(body);
    mac.verify_slice(&signature).map_err(|_| SignatureError::Wrong)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(header: Option<&str>, body: &[u8]) -> Result<(), SignatureError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert(HEADER, HeaderValue::from_str(value).unwrap());
        }
        verify(&"whsec".into(), &headers, body)
    }

    #[test]
    fn only_the_signature_of_this_body_is_taken() {
        let right = provider_twin::signature(&"whsec".into(), b"{}").unwrap();
        assert_eq!(check(Some(&right), b"{}"), Ok(()));
        assert_eq!(check(Some(&right.to_uppercase()), b"{}"), Ok(()));
        assert_eq!(check(Some(&right), b"{ }"), Err(SignatureError::Wrong));
        assert_eq!(check(None, b"{}"), Err(SignatureError::Missing));
        let other = provider_twin::signature(&"other".into(), b"{}").unwrap();
        for wrong in [other.as_str(), "", "zz", &right[..64], &format!("{right}00")] {
            assert_eq!(check(Some(wrong), b"{}"), Err(SignatureError::Wrong), "{wrong}");
        }
    }

    #[test]
    fn two_signatures_are_none() {
        let right = provider_twin::signature(&"whsec".into(), b"{}").unwrap();
        let mut headers = HeaderMap::new();
        headers.append(HEADER, HeaderValue::from_str(&right).unwrap());
        headers.append(HEADER, HeaderValue::from_static("00"));
        assert_eq!(verify(&"whsec".into(), &headers, b"{}"), Err(SignatureError::Wrong));
    }
}
