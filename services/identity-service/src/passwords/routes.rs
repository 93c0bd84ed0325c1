//! `/api/v1/identity/password/…`.

use axum::{extract::State, http::StatusCode};
use common_auth::{
    Anybody, StepUp,
    permissions::{ProvedByContent, Recovers},
    step_up::BesidePassword,
};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::error::PasswordChangeError;
use crate::{app::AppState, crypto::token::SecretToken, sessions::Origin};

/// Longer ones are no password of ours; reading them would only cost.
pub(crate) const LONGEST_PASSWORD: usize = 1024;

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangePasswordRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
    /// As on registration.
    #[schema(value_type = String, format = Password, example = "another horse with a battery", min_length = 8, max_length = 128)]
    new_password: SecretString,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ForgotPasswordRequest {
    /// The e-mail address or the phone number.
    #[schema(example = "ada@example.com", max_length = 1024)]
    #[validate(length(max = 1024, message = "must have at most 1024 characters"))]
    identifier: String,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResetPasswordRequest {
    /// As it was sent.
    #[schema(value_type = String, example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    token: SecretString,
    /// As on registration.
    #[schema(value_type = String, format = Password, example = "another horse with a battery", min_length = 8, max_length = 128)]
    new_password: SecretString,
}

/// Beside a call that adds what signs in.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EnrolRequest {
    /// Asked of who has no second factor.
    #[schema(value_type = Option<String>, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: Option<SecretString>,
}

impl EnrolRequest {
    pub(crate) fn password(self) -> Result<Option<SecretString>, Problem> {
        self.current_password.map(current_password).transpose()
    }
}

/// The password of who is signed in, as it came.
pub(crate) fn current_password(password: SecretString) -> Result<SecretString, Problem> {
    if password.expose_secret().chars().count() > LONGEST_PASSWORD {
        let message = format!("must have at most {LONGEST_PASSWORD} characters");
        return Err(Problem::invalid_field("currentPassword", "length", message));
    }
    Ok(password)
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(change_password))
        .routes(routes!(forgot_password))
        .routes(routes!(reset_password))
}

/// Change one's password
///
/// Ends all other sessions, tells the person by e-mail, and publishes `identity.user.password_changed`.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/password/change", tag = "identity", security(("bearer" = [])),
    request_body = ChangePasswordRequest,
    responses(
        (status = 204, description = "It is changed"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was changed at the same moment", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn change_password(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    let current = current_password(request.current_password)?;
    state.passwords.change(&caller.user, current, request.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Say that one has forgotten one's password
///
/// Answered the same whether there is such a person or not. Who is registered is sent a token, good once, for an hour.
#[utoipa::path(
    post, path = "/api/v1/identity/password/forgot", tag = "identity",
    request_body = ForgotPasswordRequest,
    responses(
        (status = 202, description = "If there is such a person, a token is on its way to them"),
        Refused<400>, Refused<415>, Refused<422>, Refused<503>,
    )
)]
async fn forgot_password(
    State(state): State<AppState>,
    _: Anybody<Recovers>,
    ApiJson(request): ApiJson<ForgotPasswordRequest>,
) -> Result<StatusCode, Problem> {
    state.passwords.forgot(&request.identifier).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Set another password with the token that was sent
///
/// Ends all sessions and signs nobody in. A password that is refused does not use the token up.
#[utoipa::path(
    post, path = "/api/v1/identity/password/reset", tag = "identity",
    request_body = ResetPasswordRequest,
    responses(
        (status = 204, description = "It is set; log in with it"),
        Refused<400>, Refused<415>,
        (status = 422, description = "`invalid_reset_token` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn reset_password(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiJson(request): ApiJson<ResetPasswordRequest>,
) -> Result<StatusCode, Problem> {
    let token = SecretToken::parse(request.token.expose_secret()).ok_or(PasswordChangeError::InvalidToken)?;
    state.passwords.reset(&token, request.new_password, &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}
