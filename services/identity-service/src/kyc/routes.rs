//! `/api/v1/identity/kyc/bvn`.

use axum::{Json, extract::State};
use common_auth::CurrentUser;
use common_utils::http::{ApiJson, FieldErrors, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use super::entity::{Bvn, DateOfBirth};
use crate::{app::AppState, users::routes::UserAnswer};

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BvnRequest {
    #[schema(value_type = String, example = "22222222221", pattern = "^[0-9]{11}$")]
    bvn: SecretString,
    /// At least 18 years ago.
    #[schema(value_type = String, format = Date, example = "1990-01-31")]
    date_of_birth: SecretString,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(verify_bvn))
}

/// Verify one's bank verification number
///
/// The names of the account and the date of birth must be those that the number is registered with. Gives tier 1 and
/// publishes `identity.user.verified`, on which the virtual account is issued. The number is stored encrypted.
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/bvn", tag = "identity", security(("bearer" = [])),
    request_body = BvnRequest,
    responses(
        (status = 200, description = "Verified, now or before", body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`bvn_taken`, or verified with another number", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`kyc_mismatch`, `kyc_not_found` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Ten checks a day", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "The check cannot be made now; nothing was stored", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn verify_bvn(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<BvnRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let today = state.clock.now().date_naive();
    let mut errors = FieldErrors::new();
    let bvn = errors.take("bvn", request.bvn.expose_secret().parse::<Bvn>());
    let date_of_birth = DateOfBirth::parse(request.date_of_birth.expose_secret(), today)
        .map_err(|error| errors.push("dateOfBirth", error.code(), error.to_string()))
        .ok();
    let (Some(bvn), Some(date_of_birth)) = (bvn, date_of_birth) else { return Err(errors.into_problem()) };
    Ok(Json(state.kyc.verify_bvn(caller.id, bvn, date_of_birth).await?.into()))
}
