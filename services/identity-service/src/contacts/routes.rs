//! `/api/v1/identity/verification/{email,phone}` and `/me/{email,phone}`.

use axum::{Json, extract::State, http::StatusCode};
use common_auth::{
    CurrentUser, StepUp,
    step_up::{BesidePassword, Finishing},
};
use common_utils::{
    contact::{Email, PhoneNumber},
    http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    app::AppState,
    codes::entity::Code,
    passwords::routes::current_password,
    users::{ContactKind, Identifier, routes::UserAnswer},
};

/// The code as it came.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ContactCodeRequest {
    #[schema(value_type = String, example = "123456", pattern = "^[0-9]{6}$")]
    code: SecretString,
}

impl ContactCodeRequest {
    fn parse(&self) -> Result<Code, Problem> {
        let code = self.code.expose_secret().parse();
        code.map_err(|error| Problem::invalid_field("code", "invalid", format!("{error}")))
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangeEmailRequest {
    #[schema(example = "ada@example.org", max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangePhoneRequest {
    /// International (`+…`), or a Nigerian number in its national form.
    #[schema(example = "+2348031234567")]
    phone_number: String,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(send_email))
        .routes(routes!(confirm_email))
        .routes(routes!(send_phone))
        .routes(routes!(confirm_phone))
        .routes(routes!(change_email))
        .routes(routes!(confirm_new_email))
        .routes(routes!(change_phone))
        .routes(routes!(confirm_new_phone))
}

/// Send a code to one's e-mail address
///
/// Six digits, good for ten minutes and five attempts; it takes the place of the one before. One is sent on registration, too.
#[utoipa::path(
    post, path = "/api/v1/identity/verification/email/send", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 202, description = "It is on its way"),
        Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is verified already", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Once a minute, five times an hour", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn send_email(State(state): State<AppState>, caller: CurrentUser) -> Result<StatusCode, Problem> {
    state.contacts.send(caller.id, ContactKind::Email).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Verify one's e-mail address
///
/// Publishes `identity.user.updated`. What is verified already is answered the same, whatever the code.
#[utoipa::path(
    post, path = "/api/v1/identity/verification/email/confirm", tag = "identity", security(("bearer" = [])),
    request_body = ContactCodeRequest,
    responses(
        (status = 200, body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `code_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn confirm_email(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<ContactCodeRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let code = request.parse()?;
    Ok(Json(state.contacts.verify(caller.id, ContactKind::Email, &code).await?.into()))
}

/// Send a code to one's phone number
///
/// Six digits, good for ten minutes and five attempts; it takes the place of the one before. One is sent on registration, too.
#[utoipa::path(
    post, path = "/api/v1/identity/verification/phone/send", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 202, description = "It is on its way"),
        Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is verified already", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Once a minute, five times an hour", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn send_phone(State(state): State<AppState>, caller: CurrentUser) -> Result<StatusCode, Problem> {
    state.contacts.send(caller.id, ContactKind::Phone).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Verify one's phone number
///
/// Publishes `identity.user.updated`. What is verified already is answered the same, whatever the code.
#[utoipa::path(
    post, path = "/api/v1/identity/verification/phone/confirm", tag = "identity", security(("bearer" = [])),
    request_body = ContactCodeRequest,
    responses(
        (status = 200, body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `code_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn confirm_phone(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<ContactCodeRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let code = request.parse()?;
    Ok(Json(state.contacts.verify(caller.id, ContactKind::Phone, &code).await?.into()))
}

/// Ask for another e-mail address
///
/// A code goes to the new address, whether somebody is registered with it or not. The old one stays until the code is confirmed,
/// within ten minutes.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/me/email", tag = "identity", security(("bearer" = [])),
    request_body = ChangeEmailRequest,
    responses(
        (status = 202, description = "A code is on its way to the new address"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Once a minute, five times an hour; or too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn change_email(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<ChangeEmailRequest>,
) -> Result<StatusCode, Problem> {
    let new: Email = request
        .email
        .parse()
        .map_err(|error| Problem::invalid_field("email", "invalid", format!("{error}")))?;
    let password = current_password(request.current_password)?;
    state.contacts.ask_to_change(caller.user.id, Identifier::Email(new), password).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirm another e-mail address
///
/// It is one's own from then on, and verified; the old one is told. Publishes `identity.user.updated`.
#[utoipa::path(
    post, path = "/api/v1/identity/me/email/confirm", tag = "identity", security(("bearer" = [])),
    request_body = ContactCodeRequest,
    responses(
        (status = 200, body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has got a second factor since it was asked for, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`email_taken`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `code_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn confirm_new_email(
    State(state): State<AppState>,
    caller: StepUp<Finishing>,
    ApiJson(request): ApiJson<ContactCodeRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let code = request.parse()?;
    Ok(Json(state.contacts.change(&caller.user, ContactKind::Email, &code).await?.into()))
}

/// Ask for another phone number
///
/// A code goes to the new number, whether somebody is registered with it or not. The old one stays until the code is confirmed,
/// within ten minutes.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/me/phone", tag = "identity", security(("bearer" = [])),
    request_body = ChangePhoneRequest,
    responses(
        (status = 202, description = "A code is on its way to the new number"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Once a minute, five times an hour; or too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn change_phone(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<ChangePhoneRequest>,
) -> Result<StatusCode, Problem> {
    let new: PhoneNumber = request
        .phone_number
        .parse()
        .map_err(|error| Problem::invalid_field("phoneNumber", "invalid", format!("{error}")))?;
    let password = current_password(request.current_password)?;
    state.contacts.ask_to_change(caller.user.id, Identifier::Phone(new), password).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Confirm another phone number
///
/// It is one's own from then on, and verified; the old one is told. Publishes `identity.user.updated`.
#[utoipa::path(
    post, path = "/api/v1/identity/me/phone/confirm", tag = "identity", security(("bearer" = [])),
    request_body = ContactCodeRequest,
    responses(
        (status = 200, body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has got a second factor since it was asked for, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`phone_taken`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`invalid_code`, `code_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn confirm_new_phone(
    State(state): State<AppState>,
    caller: StepUp<Finishing>,
    ApiJson(request): ApiJson<ContactCodeRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let code = request.parse()?;
    Ok(Json(state.contacts.change(&caller.user, ContactKind::Phone, &code).await?.into()))
}
