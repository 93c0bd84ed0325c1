//! Lets only tokens through that one of the file's credentials verifies, and says who the consumer is.
//!
//! Steps: find the token, read it, find the credential that it names (ours by `kid`), compare the algorithm, verify the signature,
//! look at the time. What was verified once is remembered by the whole token (bounded), because verifying costs
//! far more than the rest of the gateway; the time is looked at again on every call.

mod keyring;
mod token;

use std::{borrow::Cow, ops::ControlFlow, sync::Arc};

use axum::body::Body;
use common_utils::clock::SharedClock;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use self::keyring::Verified;
pub(crate) use self::keyring::{Key, Keyring};
use super::Step;
use crate::{
    answers,
    config::{Claim, JwtConfig},
};

const CONSUMER_ID: HeaderName = HeaderName::from_static("x-consumer-id");
const CONSUMER_CUSTOM_ID: HeaderName = HeaderName::from_static("x-consumer-custom-id");
const CONSUMER_USERNAME: HeaderName = HeaderName::from_static("x-consumer-username");
const CREDENTIAL: HeaderName = HeaderName::from_static("x-credential-identifier");
const ANONYMOUS: HeaderName = HeaderName::from_static("x-anonymous-consumer");

/// Why a call is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    NoToken,
    Message(Cow<'static, str>),
    /// What is wrong with each claim.
    Claims(Map<String, Value>),
}

#[derive(Debug)]
pub(crate) struct Jwt {
    config: JwtConfig,
    keyring: Arc<Keyring>,
    clock: SharedClock,
}

impl Jwt {
    pub(crate) fn new(config: &JwtConfig, keyring: Arc<Keyring>, clock: SharedClock) -> Self {
        Self { config: config.clone(), keyring, clock }
    }

    pub(crate) fn access(&self, headers: &mut HeaderMap) -> Step {
        match self.authenticate(headers) {
            Ok(verified) => {
                let consumer = &verified.consumer;
                headers.insert(CONSUMER_ID, consumer.id.clone());
                headers.insert(CONSUMER_USERNAME, consumer.username.clone());
                headers.insert(CREDENTIAL, consumer.credential.clone());
                headers.remove(CONSUMER_CUSTOM_ID);
                headers.remove(ANONYMOUS);
                ControlFlow::Continue(())
            }
            Err(refusal) => ControlFlow::Break(unauthorized(refusal)),
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Arc<Verified>, Refusal> {
        let token = self.token(headers)?;
        let verified = self.keyring.verify(token, &self.config.key_claim_name)?;
        self.check_time(&verified)?;
        Ok(verified)
    }

    fn token<'a>(&self, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
        let mut found: Option<&[u8]> = None;
        for name in &self.config.header_names {
            let Some(token) = headers.get(&name.0).and_then(|value| bearer(value.as_bytes())) else {
                continue;
            };
            if found.is_some_and(|other| other != token) {
                return Err(Refusal::Message("Multiple tokens provided".into()));
            }
            found = Some(token);
        }
        std::str::from_utf8(found.ok_or(Refusal::NoToken)?)
            .map_err(|_| Refusal::Message("Bad token; invalid JSON".into()))
    }

    fn check_time(&self, verified: &Verified) -> Result<(), Refusal> {
        let now = self.clock.now().timestamp();
        let mut wrong = Map::new();
        for claim in &self.config.claims_to_verify {
            let (name, at, outside, why) = match claim {
                Claim::Exp => {
                    ("exp", verified.exp, verified.exp.is_some_and(|exp| exp <= now), "token expired")
                }
                Claim::Nbf => {
                    ("nbf", verified.nbf, verified.nbf.is_some_and(|nbf| nbf > now), "token not valid yet")
                }
            };
            if at.is_none() {
                wrong.insert(name.to_owned(), json!("must be a number"));
            } else if outside {
                wrong.insert(name.to_owned(), json!(why));
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(Refusal::Claims(wrong)) }
    }
}

/// The token of an `Authorization` header: what follows the first `Bearer`, wherever it stands, as Kong looks for it.
pub(crate) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let mut from = 0;
    loop {
        let at = value.get(from..)?.windows(6).position(|word| matches!(word, b"Bearer" | b"bearer"))?;
        from += at + 6;
        let rest = value.get(from..)?;
        let token = rest.trim_ascii_start();
        if token.len() < rest.len() && !token.is_empty() {
            return Some(token);
        }
    }
}

fn unauthorized(refusal: Refusal) -> Response<Body> {
    let (challenge, body) = match refusal {
        Refusal::NoToken => ("Bearer", json!({"message": "Unauthorized"})),
        Refusal::Message(message) => (r#"Bearer error="invalid_token""#, json!({"message": message})),
        Refusal::Claims(claims) => (r#"Bearer error="invalid_token""#, Value::Object(claims)),
    };
    let mut response = answers::json(StatusCode::UNAUTHORIZED, &body);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_follows_the_word_bearer() {
        for (value, token) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c", Some("a.b.c")),
            ("Basic x, Bearer t", Some("t")),
            ("BearerBearer t", Some("t")),
            ("BEARER t", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("Bearert", None),
            ("", None),
        ] {
            assert_eq!(bearer(value.as_bytes()), token.map(str::as_bytes), "{value}");
        }
    }
}
