//! `/api/v1/identity/kyc/bvn`.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use common_auth::CurrentUser;
use common_utils::http::{ApiJson, FieldErrors, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{
    cases::{at_once::Outcome, view::CaseView},
    entity::{Bvn, DateOfBirth},
};
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

/// The person, not verified by it yet, and the application that it has become.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = BvnUndecided)]
struct UndecidedAnswer {
    #[serde(flatten)]
    user: UserAnswer,
    case: CaseView,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(verify_bvn))
}

/// Verify one's bank verification number
///
/// The names of the account and the date of birth must be those that the number is registered with. Gives tier 1 and
/// publishes `identity.user.verified`, on which the virtual account is issued. The number is stored encrypted. Where it fits only in part
/// nothing is given yet: the answer is 202 with the application for tier 1 that reviewers decide, which is followed at `/kyc/cases/{id}`.
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/bvn", tag = "identity", security(("bearer" = [])),
    request_body = BvnRequest,
    responses(
        (status = 200, description = "Verified, now or before", body = UserAnswer),
        (status = 202, description = "It fits only in part, and reviewers decide", body = UndecidedAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`bvn_taken`, verified with another number, or `case_open`: it fits only in part, and an application for tier 1 is being decided already", body = ProblemBody, content_type = "application/problem+json"),
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
) -> Result<Response, Problem> {
    let today = state.clock.now().date_naive();
    let mut errors = FieldErrors::new();
    let bvn = errors.take("bvn", request.bvn.expose_secret().parse::<Bvn>());
    let date_of_birth = DateOfBirth::parse(request.date_of_birth.expose_secret(), today)
        .map_err(|error| errors.push("dateOfBirth", error.code(), error.to_string()))
        .ok();
    let (Some(bvn), Some(date_of_birth)) = (bvn, date_of_birth) else { return Err(errors.into_problem()) };
    Ok(match state.cases.verify_bvn(caller.id, bvn, date_of_birth).await? {
        Outcome::Verified(user) | Outcome::VerifiedBefore(user) => {
            Json(UserAnswer::from(user)).into_response()
        }
        Outcome::Undecided(user, case) => {
            let undecided = UndecidedAnswer { user: user.into(), case };
            (StatusCode::ACCEPTED, Json(undecided)).into_response()
        }
    })
}
