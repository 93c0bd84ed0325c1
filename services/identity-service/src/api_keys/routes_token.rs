//! `POST /api/v1/identity/oauth/token`: an API key for a token (RFC 6749 § 4.4). What it answers is that standard's and no problem+json, because
//! the libraries that call it read nothing else; only when we cannot serve at all it is ours.

use std::collections::HashMap;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use common_auth::{Anybody, permissions::ProvedByContent};
use common_db::constraint;
use common_utils::http::{Problem, Refused, Routes, routes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::{
    error::ExchangeError,
    exchange::{Exchange, MachineToken},
    text::KeyText,
};
use crate::app::AppState;

const LARGEST_BODY: usize = 4096;

/// As a form. The client may name itself by HTTP Basic instead.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "it describes the form; the fields are read by their names")]
pub(crate) struct TokenRequest {
    #[schema(example = "client_credentials", pattern = "^client_credentials$")]
    grant_type: String,
    /// The id of the API key.
    client_id: Option<uuid::Uuid>,
    #[schema(format = Password)]
    client_secret: Option<String>,
    /// Some of the key's scopes, with spaces between; all, if it is left out.
    #[schema(example = "wallets:read transactions:read")]
    scope: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokenAnswer {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    expires_in: i64,
    #[schema(example = "wallets:read transactions:read")]
    scope: String,
}

/// A refusal as RFC 6749 § 5.2 has it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenError {
    /// `invalid_request`, `invalid_client`, `unsupported_grant_type` or `invalid_scope`.
    #[schema(example = "invalid_client")]
    error: &'static str,
    error_description: String,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(token))
}

/// An API key for an access token
///
/// The client credentials grant of OAuth 2.0. A token is good for a quarter of an hour; there is no refresh token, as the key gives another one.
#[utoipa::path(
    post, path = "/api/v1/identity/oauth/token", tag = "identity",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = TokenAnswer),
        (status = 400, description = "`invalid_request`, `unsupported_grant_type` or `invalid_scope`", body = TokenError),
        (status = 401, description = "`invalid_client`: unknown, wrong, revoked or expired, or its owner's account is not active", body = TokenError),
        Refused<413>, Refused<503>,
    )
)]
async fn token(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let by_header = headers.contains_key(header::AUTHORIZATION);
    let exchanged = match read(&headers, &body) {
        Ok(asked) => state.api_keys.exchange(asked).await,
        Err(refusal) => Err(refusal),
    };
    let answer = match exchanged {
        Ok(token) => (StatusCode::OK, Json(TokenAnswer::from(token))).into_response(),
        Err(error) => refused(error, by_header)?,
    };
    Ok(never_stored(answer))
}

impl From<MachineToken> for TokenAnswer {
    fn from(token: MachineToken) -> Self {
        Self {
            access_token: token.access,
            token_type: "Bearer",
            expires_in: token.expires_in,
            scope: token.scopes.to_string(),
        }
    }
}

fn refused(error: ExchangeError, by_header: bool) -> Result<Response, Problem> {
    let error_description = error.to_string();
    let (status, code) = match error {
        ExchangeError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        ExchangeError::UnsupportedGrant => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        ExchangeError::InvalidScope => (StatusCode::BAD_REQUEST, "invalid_scope"),
        ExchangeError::InvalidClient | ExchangeError::Inactive => {
            (StatusCode::UNAUTHORIZED, "invalid_client")
        }
        ExchangeError::Signing(error) => return Err(Problem::internal(error)),
        ExchangeError::Database(error) => return Err(constraint::problem(error)),
    };
    let mut answer = (status, Json(TokenError { error: code, error_description })).into_response();
    if status == StatusCode::UNAUTHORIZED && by_header {
        let challenge = HeaderValue::from_static(r#"Basic realm="wallet-platform""#);
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    Ok(answer)
}

fn never_stored(mut answer: Response) -> Response {
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// What is asked for. Names that the standard does not know are passed over, as it demands; one that comes twice is an error.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Exchange, ExchangeError> {
    let form = form(headers, body)?;
    match form.get("grant_type").map(|text| text.as_str()) {
        Some("client_credentials") => {}
        Some(_) => return Err(ExchangeError::UnsupportedGrant),
        None => return Err(ExchangeError::InvalidRequest("grant_type is missing")),
    }
    let credentials = credentials(headers, &form)?;
    // What is no scope of ours is none of the key's either; that is told only to who proves the key.
    let scopes = form.get("scope").map(|text| text.parse().unwrap_or_default());
    // What is no key's id is nobody's. A secret that was read from a file may have its line's end.
    let client_id = credentials.id.parse().unwrap_or_default();
    Ok(Exchange { client_id, secret: KeyText::parse(credentials.secret.trim()), scopes })
}

fn form(headers: &HeaderMap, body: &[u8]) -> Result<HashMap<String, Zeroizing<String>>, ExchangeError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ExchangeError::InvalidRequest("send a form: application/x-www-form-urlencoded"));
    }
    if body.len() > LARGEST_BODY {
        return Err(ExchangeError::InvalidRequest("the form is too large"));
    }
    let mut form = HashMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        // A parameter without a value counts as left out.
        if value.is_empty() {
            continue;
        }
        if form.insert(name.into_owned(), Zeroizing::new(value.into_owned())).is_some() {
            return Err(ExchangeError::InvalidRequest("a parameter comes twice"));
        }
    }
    Ok(form)
}

struct Credentials {
    id: String,
    secret: Zeroizing<String>,
}

/// In one way, and not in two.
fn credentials(
    headers: &HeaderMap,
    form: &HashMap<String, Zeroizing<String>>,
) -> Result<Credentials, ExchangeError> {
    let (id, secret) = (form.get("client_id"), form.get("client_secret"));
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        if secret.is_some() {
            return Err(ExchangeError::InvalidRequest("the client names itself in two ways"));
        }
        let basic = value.to_str().ok().and_then(basic).ok_or(ExchangeError::InvalidClient)?;
        return match id {
            Some(id) if **id != basic.id => Err(ExchangeError::InvalidRequest("there are two client ids")),
            _ => Ok(basic),
        };
    }
    match (id, secret) {
        (Some(id), Some(secret)) => Ok(Credentials { id: id.to_string(), secret: secret.clone() }),
        _ => Err(ExchangeError::InvalidClient),
    }
}

/// RFC 6749 § 2.3.1. Neither of our two has a character that would be encoded.
fn basic(value: &str) -> Option<Credentials> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials { id: id.to_owned(), secret: Zeroizing::new(secret.to_owned()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str, authorization: Option<&str>) -> Result<Exchange, ExchangeError> {
        let mut headers = HeaderMap::new();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        read(&headers, body.as_bytes())
    }

    #[test]
    fn a_client_names_itself_in_one_of_two_ways() {
        let key = KeyText::random();
        let (id, text) = (uuid::Uuid::from_u128(7), key.encode());
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{}", text.as_str())));
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={}", text.as_str());
        for exchange in [
            asked(&form, None),
            asked("grant_type=client_credentials", Some(&basic)),
            asked(&format!("grant_type=client_credentials&client_id={id}&unknown=1&scope="), Some(&basic)),
        ] {
            let exchange = exchange.unwrap();
            assert_eq!(exchange.client_id, id);
            assert!(exchange.secret.unwrap().is(&key.hash()) && exchange.scopes.is_none());
        }
        let refused = |body: &str, header: Option<&str>| asked(body, header).unwrap_err();
        assert!(matches!(refused(&form, Some(&basic)), ExchangeError::InvalidRequest(_)));
        let other = "grant_type=client_credentials&client_id=8";
        assert!(matches!(refused(other, Some(&basic)), ExchangeError::InvalidRequest(_)));
        for wrong in ["Basic !", "Bearer x", "Basic", "Basic eA=="] {
            let answer = refused("grant_type=client_credentials", Some(wrong));
            assert!(matches!(answer, ExchangeError::InvalidClient), "{wrong}");
        }
    }

    #[test]
    fn a_request_that_does_not_fit_is_told_why() {
        for (body, expected) in [
            ("", "grant_type is missing"),
            ("grant_type=", "grant_type is missing"),
            ("grant_type=client_credentials&grant_type=client_credentials", "a parameter comes twice"),
            ("grant_type=password", "only client_credentials gives a token here"),
        ] {
            assert_eq!(asked(body, None).unwrap_err().to_string(), expected);
        }
        let long = format!("grant_type=client_credentials&x={}", "x".repeat(LARGEST_BODY));
        assert!(matches!(asked(&long, None), Err(ExchangeError::InvalidRequest(_))));
        assert!(matches!(read(&HeaderMap::new(), b"{}"), Err(ExchangeError::InvalidRequest(_))));
    }
}
