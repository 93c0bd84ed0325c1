//! `/api/v1/identity/pin`.

use axum::{Json, extract::State, http::StatusCode};
use common_auth::{CurrentUser, StepUp, step_up::BesidePassword};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::Pin;
use crate::{app::AppState, passwords::routes::current_password, sessions::routes::AccessTokenAnswer};

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SetPinRequest {
    /// Four to six digits: no date, and neither counting nor repeating itself.
    #[schema(value_type = String, example = "4739", pattern = "^[0-9]{4,6}$")]
    pin: SecretString,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ChangePinRequest {
    #[schema(value_type = String, example = "4739", pattern = "^[0-9]{4,6}$")]
    current_pin: SecretString,
    /// As when it is set.
    #[schema(value_type = String, example = "8065", pattern = "^[0-9]{4,6}$")]
    new_pin: SecretString,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VerifyPinRequest {
    #[schema(value_type = String, example = "4739", pattern = "^[0-9]{4,6}$")]
    pin: SecretString,
}

pub(crate) fn read_pin(field: &'static str, pin: &SecretString) -> Result<Pin, Problem> {
    let pin = pin.expose_secret().parse();
    pin.map_err(|error| Problem::invalid_field(field, "invalid", format!("{error}")))
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(set)).routes(routes!(change)).routes(routes!(verify))
}

/// Set one's transaction PIN
///
/// With the password, also in the place of one that is forgotten or locked. Tells the person.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/pin", tag = "identity", security(("bearer" = [])),
    request_body = SetPinRequest,
    responses(
        (status = 204, description = "It is set"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others `weak_pin`, and a wrong password by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn set(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<SetPinRequest>,
) -> Result<StatusCode, Problem> {
    let (pin, password) = (read_pin("pin", &request.pin)?, current_password(request.current_password)?);
    let set = state.pins.set(caller.user.id, pin, password).await;
    set.map_err(|error| error.into_problem("pin"))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Change one's transaction PIN
///
/// A wrong present one counts as it does when it is verified. Tells the person.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/pin/change", tag = "identity", security(("bearer" = [])),
    request_body = ChangePinRequest,
    responses(
        (status = 204, description = "It is changed"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, `pin_locked`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was changed at the same moment", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others `wrong_pin` and `weak_pin`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn change(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<ChangePinRequest>,
) -> Result<StatusCode, Problem> {
    let current = read_pin("currentPin", &request.current_pin)?;
    let new = read_pin("newPin", &request.new_pin)?;
    state.pins.change(caller.user.id, current, new).await.map_err(|error| {
        let field = if matches!(error, super::error::PinError::Weak(_)) { "newPin" } else { "currentPin" };
        error.into_problem(field)
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// Approve with one's transaction PIN
///
/// Answers an access token with which payments are approved for five minutes. Five wrong ones in a row lock the PIN; then another one is set
/// with the password.
#[utoipa::path(
    post, path = "/api/v1/identity/pin/verify", tag = "identity", security(("bearer" = [])),
    request_body = VerifyPinRequest,
    responses(
        (status = 200, body = AccessTokenAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`pin_locked`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is none", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It was changed at the same moment", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others `wrong_pin`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn verify(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<VerifyPinRequest>,
) -> Result<Json<AccessTokenAnswer>, Problem> {
    let pin = read_pin("pin", &request.pin)?;
    let access = state.pins.verify(&caller, pin).await.map_err(|error| error.into_problem("pin"))?;
    Ok(Json(access.into()))
}
