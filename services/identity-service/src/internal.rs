//! `/internal/v1`: what other services may ask, with a service token. The gateway never routes it, and the public
//! contract does not show it.

use axum::{Json, Router, extract::State, routing::get};
use common_auth::ServiceCaller;
use common_utils::{
    http::{ApiPath, ApiQuery, Problem},
    ids::UserId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use validator::Validate;

use crate::{
    app::AppState,
    kyc::Dossier,
    users::{Identifier, entity::User},
};

/// The one service that passes a person's identity on to a bank.
const MAY_READ_KYC: &str = "wallet-service";

#[derive(Serialize)]
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

#[derive(Serialize)]
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

#[derive(Debug, Deserialize, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
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

pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/internal/v1/users", get(find_user))
        .route("/internal/v1/users/{id}", get(get_user))
        .route("/internal/v1/users/{id}/kyc", get(get_kyc))
}

async fn get_user(
    State(state): State<AppState>,
    _caller: ServiceCaller,
    ApiPath(id): ApiPath<UserId>,
) -> Result<Json<UserView>, Problem> {
    Ok(Json(state.users.get(id).await?.into()))
}

async fn find_user(
    State(state): State<AppState>,
    _caller: ServiceCaller,
    ApiQuery(query): ApiQuery<UserQuery>,
) -> Result<Json<UserView>, Problem> {
    let missing = || Problem::not_found("user");
    let identifier = query.identifier()?.ok_or_else(missing)?;
    Ok(Json(state.users.find(&identifier).await?.ok_or_else(missing)?.into()))
}

async fn get_kyc(
    State(state): State<AppState>,
    caller: ServiceCaller,
    ApiPath(id): ApiPath<UserId>,
) -> Result<Json<KycView>, Problem> {
    if caller.name != MAY_READ_KYC {
        tracing::warn!(caller = caller.name, user_id = %id, "a service asked for what it may not read");
        return Err(Problem::forbidden("Only wallet-service may read this."));
    }
    let dossier = state.kyc.dossier(id).await?;
    tracing::info!(caller = caller.name, user_id = %id, "identity data read");
    Ok(Json(dossier.into()))
}
