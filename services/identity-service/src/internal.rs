//! `/internal/v1`: what other services may ask, with a service token. The gateway never routes it, and the public
//! contract does not show it.

use axum::{Json, extract::State};
use common_auth::{
    ServiceCaller,
    permissions::{FindPeople, ReadKyc},
};
use common_utils::{
    http::{ApiPath, ApiQuery, Problem, Refused, Routes, routes},
    ids::UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    app::AppState,
    kyc::Dossier,
    users::{Identifier, entity::User},
};

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct UserView {
    user_id: Uuid,
    email: String,
    phone_number: String,
    first_name: String,
    last_name: String,
    kyc_tier: i16,
    status: &'static str,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            user_id: user.id.uuid(),
            email: user.email.as_str().to_owned(),
            phone_number: user.phone_number.as_str().to_owned(),
            first_name: user.first_name.as_str().to_owned(),
            last_name: user.last_name.as_str().to_owned(),
            kyc_tier: user.kyc_tier,
            status: user.status.name(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KycView {
    user_id: Uuid,
    bvn: String,
    date_of_birth: String,
    first_name: String,
    last_name: String,
    phone_number: String,
    email: String,
}

impl From<Dossier> for KycView {
    fn from(dossier: Dossier) -> Self {
        let user = UserView::from(dossier.user);
        Self {
            user_id: user.user_id,
            bvn: dossier.bvn.as_str().to_owned(),
            date_of_birth: dossier.date_of_birth.as_str().to_owned(),
            first_name: user.first_name,
            last_name: user.last_name,
            phone_number: user.phone_number,
            email: user.email,
        }
    }
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UserQuery {
    phone_number: Option<String>,
    email: Option<String>,
}

impl UserQuery {
    /// Exactly one of the two. What cannot be an address or a number is nobody's.
    fn identifier(self) -> Result<Option<Identifier>, Problem> {
        match (self.phone_number, self.email) {
            // A `+` that was not percent-encoded arrives as a space.
            (Some(phone), None) => Ok(phone.replacen(' ', "+", 1).parse().map(Identifier::Phone).ok()),
            (None, Some(email)) => Ok(email.parse().map(Identifier::Email).ok()),
            _ => Err(Problem::invalid_field("phoneNumber", "invalid", "give either it or `email`")),
        }
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(find_user)).routes(routes!(get_user)).routes(routes!(get_kyc))
}

#[utoipa::path(
    get, path = "/internal/v1/users/{id}", tag = "internal", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = UserView), Refused<401>, Refused<403>, Refused<404>)
)]
async fn get_user(
    State(state): State<AppState>,
    _: ServiceCaller<FindPeople>,
    ApiPath(id): ApiPath<UserId>,
) -> Result<Json<UserView>, Problem> {
    Ok(Json(state.users.get(id).await?.into()))
}

#[utoipa::path(
    get, path = "/internal/v1/users", tag = "internal", security(("bearer" = [])), params(UserQuery),
    responses((status = 200, body = UserView), Refused<401>, Refused<403>, Refused<404>, Refused<422>)
)]
async fn find_user(
    State(state): State<AppState>,
    _: ServiceCaller<FindPeople>,
    ApiQuery(query): ApiQuery<UserQuery>,
) -> Result<Json<UserView>, Problem> {
    let missing = || Problem::not_found("user");
    let identifier = query.identifier()?.ok_or_else(missing)?;
    Ok(Json(state.users.find(&identifier).await?.ok_or_else(missing)?.into()))
}

/// For the one service that passes a person's identity on to a bank.
#[utoipa::path(
    get, path = "/internal/v1/users/{id}/kyc", tag = "internal", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses((status = 200, body = KycView), Refused<401>, Refused<403>, Refused<404>)
)]
async fn get_kyc(
    State(state): State<AppState>,
    caller: ServiceCaller<ReadKyc>,
    ApiPath(id): ApiPath<UserId>,
) -> Result<Json<KycView>, Problem> {
    let dossier = state.kyc.dossier(id).await?;
    tracing::info!(caller = caller.name, user_id = %id, "identity data read");
    Ok(Json(dossier.into()))
}
