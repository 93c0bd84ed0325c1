//! Refusals as `application/problem+json` (RFC 9457) with a stable `code`.
//!
//! What a client sees (`detail`, `errors`) and what we log (`source`) are kept apart: internal text never leaves.

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder, response},
};

/// One field that was wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// The path of the field, for example `amount.amount`.
    pub field: String,
    /// A stable code, for example `out_of_range`.
    pub code: Cow<'static, str>,
    /// What would be right.
    pub message: String,
}

impl FieldError {
    pub fn new(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), code: code.into(), message: message.into() }
    }
}

/// A refusal or failure on its way to the client.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
    /// Rare, and apart: a problem is in every result that a handler passes on.
    asked: Option<Box<Asked>>,
    source: Option<anyhow::Error>,
}

/// How the refused call is made good.
#[derive(Debug)]
struct Asked {
    /// What a fresh proof of who calls may be given with.
    methods: Vec<&'static str>,
    /// The header `WWW-Authenticate`.
    challenge: HeaderValue,
}

/// The body, as documented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// `/problems/` and the code with hyphens.
    #[serde(rename = "type")]
    #[schema(example = "/problems/insufficient-funds")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    pub detail: String,
    #[schema(example = "insufficient_funds")]
    pub code: String,
    /// The path that was called.
    pub instance: String,
    pub correlation_id: String,
    pub errors: Vec<FieldError>,
    /// With `step_up_required` alone: what a fresh proof may be given with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["totp", "recovery"]))]
    pub methods: Vec<String>,
}

/// A refusal with this status, as the contract shows it where its name says enough.
#[derive(Debug)]
pub struct Refused<const STATUS: u16>;

impl<const STATUS: u16> IntoResponses for Refused<STATUS> {
    fn responses() -> BTreeMap<String, RefOr<response::Response>> {
        let body = ContentBuilder::new().schema(Some(Ref::from_schema_name(ProblemBody::name()))).build();
        let response = ResponseBuilder::new().content("application/problem+json", body).build();
        BTreeMap::from([(STATUS.to_string(), response.into())])
    }
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            asked: None,
            source: None,
        }
    }

    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", format!("There is no such {what}."))
    }

    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// A business refusal.
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail)
    }

    /// Fields that do not fit, each of them named.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("`{}` {}.", one.field, one.message),
            many => format!("{} fields do not fit.", many.len()),
        };
        Self { errors, ..Self::unprocessable("validation_failed", detail) }
    }

    /// One field that does not fit.
    pub fn invalid_field(
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self::validation(vec![FieldError::new(field, code, message)])
    }

    /// More is waiting than can be done soon. Nothing was done for this call.
    pub fn overloaded() -> Self {
        let detail = "Too much is being asked for at the moment. Send the same again in a moment.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(Duration::from_secs(1))
    }

    /// Something we rely on does not answer; trying again later is safe.
    pub fn unavailable(source: impl Into<anyhow::Error>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "dependency_unavailable",
            "A system that this call needs does not answer. Try again later.",
        )
        .retry_after(Duration::from_secs(2))
        .caused_by(source)
    }

    /// Our own fault. The cause goes to the log, not to the client.
    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong on our side. Quote the correlation id when you report it.",
        )
        .caused_by(source)
    }

    /// The call takes a fresh proof of who makes it, by one of `methods`. `challenge` says so in the header `WWW-Authenticate`
    /// (RFC 9470).
    pub fn step_up_required(methods: Vec<&'static str>, challenge: HeaderValue) -> Self {
        let detail = format!("Prove again who you are, by {}, and repeat the call.", methods.join(" or "));
        let asked = Some(Box::new(Asked { methods, challenge }));
        Self { asked, ..Self::new(StatusCode::FORBIDDEN, "step_up_required", detail) }
    }

    /// Names a field that the refusal is about, though it fits by itself.
    #[must_use]
    pub fn of_field(
        mut self,
        field: impl Into<String>,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError::new(field, code, message));
        self
    }

    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// What a client has to bring, as `WWW-Authenticate` says it; 401 asks for a bearer token by itself. What is no header's value is
    /// left out.
    #[must_use]
    pub fn challenge(mut self, challenge: &str) -> Self {
        let challenge = HeaderValue::from_str(challenge).ok();
        self.asked = challenge.map(|challenge| Box::new(Asked { methods: Vec::new(), challenge }));
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn code(&self) -> &'static str {
        self.code
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }

    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// The body for a call to `instance` under `correlation_id`.
    pub fn body(&self, instance: &str, correlation_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("/problems/{}", self.code.replace('_', "-")),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            instance: instance.to_owned(),
            correlation_id: correlation_id.to_owned(),
            errors: self.errors.clone(),
            methods: self.methods().map(str::to_owned).collect(),
        }
    }

    /// What a fresh proof may be given with, where one is asked for.
    fn methods(&self) -> impl Iterator<Item = &'static str> {
        self.asked.iter().flat_map(|asked| asked.methods.iter().copied())
    }

    /// Writes the body and logs the cause, once.
    pub(super) fn render(&self, instance: &str, correlation_id: &str) -> Response<Body> {
        if let Some(source) = &self.source {
            let status = self.status.as_u16();
            tracing::error!(code = self.code, status, error = format!("{source:#}"), "request failed");
        }
        let body = serde_json::to_vec(&self.body(instance, correlation_id)).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        let bearer = (self.status == StatusCode::UNAUTHORIZED).then(|| HeaderValue::from_static("Bearer"));
        let asked = self.asked.as_ref().map(|asked| asked.challenge.clone());
        if let Some(challenge) = asked.or(bearer) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// `insufficient_funds` → `Insufficient funds`.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Carries the problem to the context layer, which knows the path and the correlation id and writes the body.
#[derive(Clone)]
pub(super) struct Carried(pub(super) std::sync::Arc<Problem>);

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Carried(std::sync::Arc::new(self)));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_documented_shape() {
        let problem = Problem::unprocessable("insufficient_funds", "The wallet holds less.");
        let body = serde_json::to_value(problem.body("/api/v1/transactions/transfers", "abc")).unwrap();
        assert_eq!(
            body,
            serde_json::json!({
                "type": "/problems/insufficient-funds", "title": "Insufficient funds", "status": 422,
                "detail": "The wallet holds less.", "code": "insufficient_funds",
                "instance": "/api/v1/transactions/transfers", "correlationId": "abc", "errors": []
            })
        );
    }

    #[test]
    fn a_fresh_proof_is_asked_for_with_its_means() {
        let challenge = HeaderValue::from_static(r#"Bearer error="insufficient_user_authentication""#);
        let problem = Problem::step_up_required(vec!["totp", "recovery"], challenge.clone());
        let answer = problem.render("/", "abc");
        assert_eq!(
            (answer.status(), &answer.headers()[header::WWW_AUTHENTICATE]),
            (StatusCode::FORBIDDEN, &challenge)
        );
        assert_eq!(
            (problem.code(), problem.body("/", "abc").methods),
            ("step_up_required", vec!["totp".to_owned(), "recovery".to_owned()])
        );
    }
}
