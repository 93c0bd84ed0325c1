//! Extractors that refuse in our own words: a body, path or query that does not fit is a problem naming the field.
//!
//! Malformed JSON is 400 `malformed_request`, whatever stands before the place where it breaks; JSON that does not fit
//! the shape is 422 `validation_failed`.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
};
use serde::de::{DeserializeOwned, IgnoredAny};
use validator::Validate;

use super::{
    problem::{FieldError, Problem},
    strict::{Strict, ZERO},
    validation::from_validator,
};

/// A JSON body, parsed and validated.
#[derive(Debug)]
pub struct ApiJson<T>(pub T);

impl<S, T> FromRequest<S> for ApiJson<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unreadable(&rejection))?;
        parse(&body).map(Self)
    }
}

/// A body as it is, up to what the route takes.
#[derive(Debug)]
pub struct ApiBytes(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for ApiBytes {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        Bytes::from_request(request, state).await.map(Self).map_err(|rejection| unreadable(&rejection))
    }
}

fn require_json(headers: &header::HeaderMap) -> Result<(), Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        Ok(())
    } else {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the body as `Content-Type: application/json`.",
        ))
    }
}

fn unreadable(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "The body is larger than this call takes.",
        )
    } else {
        Problem::bad_request("malformed_request", "The body ended too early or could not be read.")
    }
}

fn parse<T: DeserializeOwned + Validate>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value: T = serde_path_to_error::deserialize(Strict(&mut deserializer)).map_err(|error| {
        let path = error.path().to_string();
        refusal(body, &path, &error.into_inner())
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    value.validate().map_err(|errors| Problem::validation(from_validator(&errors)))?;
    Ok(value)
}

/// Parsing stops at the first field that does not fit, so the rest has not been looked at. A number too large for any
/// type of ours is JSON all the same.
fn refusal(body: &[u8], path: &str, error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let parsed = serde_json::from_slice::<IgnoredAny>(body);
    match parsed {
        Err(broken) => malformed(&broken),
        Ok(_) if std::str::from_utf8(body).is_err() => {
            Problem::bad_request("malformed_request", "The body is not UTF-8.")
        }
        Ok(_) if error.is_data() || message.starts_with("number out of range") => misfit(path, &message),
        Ok(_) => malformed(error),
    }
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::bad_request("malformed_request", format!("The body is not well-formed JSON: {error}."))
}

/// Names the field and what is wrong with it, from what serde says.
fn misfit(path: &str, message: &str) -> Problem {
    let message = message.split(" at line ").next().unwrap_or(message);
    let parent = if path == "." { "" } else { path };
    let quoted = || message.split('`').nth(1).unwrap_or_default();
    let below = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let error = if message.starts_with("missing field") {
        FieldError::new(below(quoted()), "required", "is missing")
    } else if message.starts_with("unknown field") {
        let name = quoted();
        // serde_path_to_error already stands at the unknown field itself.
        let field = if parent.rsplit('.').next() == Some(name) { parent.to_owned() } else { below(name) };
        FieldError::new(field, "unknown_field", "is not a field of this call")
    } else if message.starts_with("duplicate field") {
        FieldError::new(below(quoted()), "duplicate_field", "is given twice")
    } else if message.starts_with("invalid type") {
        // The names of our types mean nothing to a client.
        let message = message
            .split_once(", expected struct ")
            .map_or_else(|| message.to_owned(), |(found, _)| format!("{found}, expected an object"));
        FieldError::new(field_or_body(parent), "wrong_type", message)
    } else {
        FieldError::new(field_or_body(parent), "out_of_range", message)
    };
    Problem::validation(vec![error])
}

fn field_or_body(path: &str) -> &str {
    if path.is_empty() { "body" } else { path }
}

/// Path parameters. What cannot be an id of ours names nothing, so it is 404.
#[derive(Debug)]
pub struct ApiPath<T>(pub T);

impl<S, T> FromRequestParts<S> for ApiPath<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            return Err(Problem::not_found("resource"));
        }
        let Path(value) =
            Path::<T>::from_request_parts(parts, state).await.map_err(|_| Problem::not_found("resource"))?;
        Ok(Self(value))
    }
}

/// Query parameters, parsed and validated.
#[derive(Debug)]
pub struct ApiQuery<T>(pub T);

impl<S, T> FromRequestParts<S> for ApiQuery<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Validate + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let pairs = parts.uri.query().unwrap_or_default().split('&');
        if let Some(pair) = pairs.into_iter().find(|pair| pair.contains("%00")) {
            let name = pair.split('=').next().unwrap_or_default();
            return Err(Problem::invalid_field(name, "out_of_range", ZERO));
        }
        let Query(value) = Query::<T>::from_request_parts(parts, state).await.map_err(|rejection| {
            let text = rejection.body_text();
            let inner = text.split_once(": ").map_or(text.as_str(), |(_, inner)| inner);
            match inner.split_once(": ") {
                Some((path, message)) if !path.contains(' ') => misfit(path, message),
                _ => misfit("", inner),
            }
        })?;
        value.validate().map_err(|errors| Problem::validation(from_validator(&errors)))?;
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::money::Money;

    #[derive(Debug, Deserialize, Validate)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its parsing is looked at")]
        amount: Money,
        #[validate(length(max = 3, message = "must be at most 3 characters long"))]
        first_name: String,
    }

    fn refused(body: &str) -> (u16, &'static str, Vec<(String, String)>) {
        let problem = parse::<Body>(body.as_bytes()).unwrap_err();
        let errors =
            problem.errors().iter().map(|error| (error.field.clone(), error.code.to_string())).collect();
        (problem.status().as_u16(), problem.code(), errors)
    }

    fn field(path: &str, code: &str) -> (u16, &'static str, Vec<(String, String)>) {
        (422, "validation_failed", vec![(path.to_owned(), code.to_owned())])
    }

    #[test]
    fn malformed_json_is_400() {
        let whole = r#"{"amount":{"amount":1,"currency":"NGN"},"firstName":"A"} x"#;
        for body in ["", "{", "{\"amount\":", "not json", whole] {
            let (status, code, _) = refused(body);
            assert_eq!((status, code), (400, "malformed_request"), "{body:?}");
        }
    }

    #[test]
    fn each_misfit_names_its_field() {
        assert_eq!(refused(r#"{"firstName":"A"}"#), field("amount", "required"));
        assert_eq!(refused(r#"{"amount":{"amount":1}}"#), field("amount.currency", "required"));
        assert_eq!(
            refused(r#"{"amount":{"amount":1.5,"currency":"NGN"}}"#),
            field("amount.amount", "wrong_type")
        );
        assert_eq!(
            refused(r#"{"amount":{"amount":9223372036854775808,"currency":"NGN"}}"#),
            field("amount.amount", "out_of_range")
        );
        assert_eq!(
            refused(r#"{"amount":{"amount":1,"currency":"XXQ"}}"#),
            field("amount.currency", "out_of_range")
        );
        assert_eq!(
            refused(r#"{"amount":{"amount":1,"currency":"NGN","x":1}}"#),
            field("amount.x", "unknown_field")
        );
        assert_eq!(refused(r#"{"x":1}"#), field("x", "unknown_field"));
        assert_eq!(refused("[]").1, "validation_failed");
        assert_eq!(
            refused(r#"{"amount":{"amount":1,"currency":"NGN"},"firstName":"long"}"#),
            field("firstName", "length")
        );
    }
}
