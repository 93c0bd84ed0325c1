//! `DELETE /api/v1/identity/me`.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::{StepUp, step_up::BesidePassword};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::entity::Erasure;
use crate::{app::AppState, passwords::routes::current_password};

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EraseRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErasureAnswer {
    erased_at: DateTime<Utc>,
    /// Until then the law has evidence kept of who the customer was; it is encrypted, and deleted then.
    evidence_until: DateTime<Utc>,
}

impl From<Erasure> for ErasureAnswer {
    fn from(erasure: Erasure) -> Self {
        Self { erased_at: erasure.erased_at, evidence_until: erasure.evidence_until }
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(erase))
}

/// Have oneself erased
///
/// The account is closed for good, and all sessions end; e-mail address, phone number and names are replaced by pseudonyms, and are free for another
/// account. Money has to be moved away before: nobody signs in any more. Publishes `identity.user.erased`.
#[utoipa::path(
    delete, path = "/api/v1/identity/me", tag = "identity", security(("bearer" = [])),
    request_body = EraseRequest,
    responses(
        (status = 200, description = "Erased", body = ErasureAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has a second factor, or the account is suspended", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn erase(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<EraseRequest>,
) -> Result<Json<ErasureAnswer>, Problem> {
    let password = current_password(request.current_password)?;
    Ok(Json(state.erasures.erase(caller.user.id, password).await?.into()))
}
