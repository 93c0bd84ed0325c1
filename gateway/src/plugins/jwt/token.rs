//! A token's three parts, read the way Kong reads them, with Kong's word for what is wrong.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

/// Padding may be there or not. Left-over bits must be zero: two spellings of one signature are not one token.
const URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All that Kong can verify; another `alg` is no algorithm to it.
const ALGORITHMS: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384",
    "PS512", "EdDSA",
];

#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) signed: &'a str,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let json = "Bad token; invalid JSON";
        let (header, rest) = text.split_once('.').ok_or(json)?;
        let (claims, signature) = rest.split_once('.').ok_or(json)?;
        let signed = text.get(..header.len() + 1 + claims.len()).ok_or(json)?;
        let (header, claims) = (object(header).ok_or(json)?, object(claims).ok_or(json)?);
        let algorithm = header.get("alg").and_then(Value::as_str);
        if !algorithm.is_some_and(|name| ALGORITHMS.contains(&name)) {
            return Err("Bad token; invalid alg");
        }
        let signature = URL.decode(signature).map_err(|_| "Bad token; invalid signature")?;
        Ok(Self { signed, header, claims, signature })
    }

    /// A claim, or the header field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.claims.get(name).or_else(|| self.header.get(name))
    }

    pub(super) fn algorithm(&self) -> Option<&str> {
        self.header.get("alg").and_then(Value::as_str)
    }

    /// A point in time, in whole seconds. A fraction counts as the next second: then it is over, or begins.
    pub(super) fn time(&self, claim: &str) -> Option<i64> {
        let number = self.claims.get(claim)?.as_number()?;
        #[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest")]
        number.as_i64().or_else(|| number.as_f64().map(|seconds| seconds.ceil() as i64))
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL.decode(part).ok()?).ok()
}
