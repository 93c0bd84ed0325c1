//! `/api/v1/identity/me`.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::{CurrentUser, Role};
use common_utils::http::{ApiJson, FieldErrors, Problem, ProblemBody, Refused, Routes, routes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::entity::{ProfileChange, User};
use crate::app::AppState;

/// A person, as they see themselves.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User)]
pub(crate) struct UserBody {
    id: Uuid,
    #[schema(example = "ada@example.com")]
    email: String,
    /// E.164.
    #[schema(example = "+2348031234567")]
    phone_number: String,
    #[schema(example = "Ada")]
    first_name: String,
    #[schema(example = "Obi")]
    last_name: String,
    email_verified: bool,
    phone_verified: bool,
    /// 0: nothing verified. 1: the bank verification number is.
    #[schema(minimum = 0, maximum = 3)]
    kyc_tier: i16,
    roles: Vec<Role>,
    #[schema(example = "active")]
    status: &'static str,
    created_at: DateTime<Utc>,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.uuid(),
            email: user.email.as_str().to_owned(),
            phone_number: user.phone_number.as_str().to_owned(),
            first_name: user.first_name.as_str().to_owned(),
            last_name: user.last_name.as_str().to_owned(),
            email_verified: user.email_verified,
            phone_verified: user.phone_verified,
            kyc_tier: user.kyc_tier,
            roles: user.roles.into_iter().collect(),
            status: user.status.name(),
            created_at: user.created_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserAnswer {
    user: UserBody,
}

impl From<User> for UserAnswer {
    fn from(user: User) -> Self {
        Self { user: user.into() }
    }
}

/// New names; what is left out stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"firstName": "Adaeze"}))]
pub(crate) struct ProfileRequest {
    #[schema(min_length = 1, max_length = 100)]
    first_name: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    last_name: Option<String>,
}

impl TryFrom<ProfileRequest> for ProfileChange {
    type Error = Problem;

    fn try_from(request: ProfileRequest) -> Result<Self, Problem> {
        let mut errors = FieldErrors::new();
        let mut name =
            |field: &str, text: Option<String>| text.and_then(|text| errors.take(field, text.parse()));
        let change = Self {
            first_name: name("firstName", request.first_name),
            last_name: name("lastName", request.last_name),
        };
        errors.into_result()?;
        Ok(change)
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(me, change_me))
}

/// Who is signed in
#[utoipa::path(
    get, path = "/api/v1/identity/me", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, body = UserAnswer),
        Refused<401>,
    )
)]
async fn me(State(state): State<AppState>, caller: CurrentUser) -> Result<Json<UserAnswer>, Problem> {
    Ok(Json(state.users.get(caller.id).await?.into()))
}

/// Change one's names
///
/// Possible until the names are verified; then 409.
#[utoipa::path(
    patch, path = "/api/v1/identity/me", tag = "identity", security(("bearer" = [])),
    request_body = ProfileRequest,
    responses(
        (status = 200, body = UserAnswer),
        Refused<400>, Refused<401>,
        (status = 409, description = "The names are verified", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>,
    )
)]
async fn change_me(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<ProfileRequest>,
) -> Result<Json<UserAnswer>, Problem> {
    let change = ProfileChange::try_from(request)?;
    Ok(Json(state.users.change_profile(caller.id, change).await?.into()))
}
