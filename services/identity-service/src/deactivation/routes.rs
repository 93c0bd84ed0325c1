//! `/api/v1/identity/me/deactivate`.

use axum::{extract::State, http::StatusCode};
use common_auth::{StepUp, step_up::BesidePassword};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use crate::{app::AppState, passwords::routes::current_password};

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeactivateRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(deactivate))
}

/// Close one's account
///
/// All sessions end, and nobody signs in any more; support can open it again. Publishes `identity.user.deactivated`.
///
/// Who has a second factor has given it within the last five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/me/deactivate", tag = "identity", security(("bearer" = [])),
    request_body = DeactivateRequest,
    responses(
        (status = 204, description = "It is closed, now or before"),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is suspended", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn deactivate(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<DeactivateRequest>,
) -> Result<StatusCode, Problem> {
    let password = current_password(request.current_password)?;
    state.deactivation.deactivate(caller.user.id, password).await?;
    Ok(StatusCode::NO_CONTENT)
}
