//! `/api/v1/identity/passkeys`: making passkeys, and what one has.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use common_auth::{
    CurrentUser, StepUp,
    step_up::{BesidePassword, Finishing, Fresh},
};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, Problem, ProblemBody, Refused, Routes,
    paging::{Page, PageQuery},
    routes,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;
use webauthn_rs::prelude::RegisterPublicKeyCredential;
use webauthn_rs_proto::PublicKeyCredentialCreationOptions;

use super::{Begun, entity::PasskeyId, registering::Made, repo::Listed};
use crate::{
    app::AppState, key_name::KeyName, passwords::routes::EnrolRequest, sessions::routes::AccessTokenBody,
};

/// A passkey as its owner sees it. Its keys are nobody's business.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Passkey)]
pub(crate) struct PasskeyBody {
    id: Uuid,
    #[schema(example = "Ada's phone")]
    name: String,
    /// `active`, or `disabled` since there seemed to be two of it: such a one proves nothing, and can only be removed.
    #[schema(example = "active")]
    status: &'static str,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Listed> for PasskeyBody {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            name: listed.name,
            status: if listed.disabled_at.is_some() { "disabled" } else { "active" },
            created_at: listed.created_at,
            last_used_at: listed.last_used_at,
        }
    }
}

/// A passkey that was made.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyMade {
    passkey: PasskeyBody,
    /// With the first second factor that one has: ten, each good once. They are shown once.
    #[schema(example = json!(["abcd-efgh-jkmn-pqrs"]))]
    recovery_codes: Vec<String>,
    tokens: AccessTokenBody,
}

impl From<Made> for PasskeyMade {
    fn from(made: Made) -> Self {
        Self { passkey: made.passkey.into(), recovery_codes: made.recovery_codes, tokens: made.access.into() }
    }
}

/// What a browser is given to make a passkey.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyCreation {
    /// Good for five minutes and one answer.
    ceremony_id: Uuid,
    /// For `PublicKeyCredential.parseCreationOptionsFromJSON`, and then `navigator.credentials.create`.
    #[schema(value_type = Object)]
    public_key: PublicKeyCredentialCreationOptions,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FinishPasskeyRequest {
    ceremony_id: Uuid,
    /// What its owner calls it.
    #[schema(example = "Ada's phone", min_length = 1, max_length = 100)]
    name: String,
    /// What `navigator.credentials.create` gave, by its `toJSON()`.
    #[schema(value_type = Object)]
    credential: RegisterPublicKeyCredential,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RenamePasskeyRequest {
    #[schema(example = "Ada's phone", min_length = 1, max_length = 100)]
    name: String,
}

fn key_name(name: &str) -> Result<KeyName, Problem> {
    name.parse().map_err(|error| Problem::invalid_field("name", "length", format!("{error}")))
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(start_registering))
        .routes(routes!(finish_registering))
        .routes(routes!(list))
        .routes(routes!(rename, remove))
}

/// Begin making a passkey
///
/// Takes the password, or from who has a second factor a fresh proof by it. The answer is for the browser, which has the authenticator make
/// the passkey.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/register/start", tag = "identity", security(("bearer" = [])),
    request_body = EnrolRequest,
    responses(
        (status = 200, body = PasskeyCreation),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, the account is not active, or there are no second factors here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`too_many_passkeys`: twenty", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a missing or wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn start_registering(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<EnrolRequest>,
) -> Result<Json<PasskeyCreation>, Problem> {
    let Begun { ceremony, options } =
        state.passkeys.start_registering(&caller.user, request.password()?).await?;
    Ok(Json(PasskeyCreation { ceremony_id: ceremony.uuid(), public_key: options.public_key }))
}

/// Register a passkey
///
/// Within five minutes, in the session that began it. From then on it signs in, and the password alone does not. Answers an access token that says
/// that it was used, and with the first second factor recovery codes, once. Tells the person, and publishes
/// `identity.user.factor_added`.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/register/finish", tag = "identity", security(("bearer" = [])),
    request_body = FinishPasskeyRequest,
    responses(
        (status = 201, body = PasskeyMade),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has got a second factor since it was begun, the account is not active, or there are no second factors here", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`passkey_registered` or `too_many_passkeys`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`ceremony_expired`, `passkey_rejected` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn finish_registering(
    State(state): State<AppState>,
    caller: StepUp<Finishing>,
    ApiJson(request): ApiJson<FinishPasskeyRequest>,
) -> Result<(StatusCode, Json<PasskeyMade>), Problem> {
    let name = key_name(&request.name)?;
    let ceremony = request.ceremony_id.into();
    let made = state.passkeys.finish_registering(&caller.user, ceremony, &request.credential, &name).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

/// One's passkeys
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/identity/passkeys", tag = "identity", security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<PasskeyBody>), Refused<401>, Refused<422>)
)]
async fn list(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<Page<PasskeyBody>>, Problem> {
    Ok(Json(state.passkeys.list(caller.id, &page).await?.map(PasskeyBody::from)))
}

/// Rename a passkey
#[utoipa::path(
    patch, path = "/api/v1/identity/passkeys/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The passkey")),
    request_body = RenamePasskeyRequest,
    responses(
        (status = 200, body = PasskeyBody),
        Refused<400>, Refused<401>, Refused<404>, Refused<415>, Refused<422>,
    )
)]
async fn rename(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<RenamePasskeyRequest>,
) -> Result<Json<PasskeyBody>, Problem> {
    let name = key_name(&request.name)?;
    Ok(Json(state.passkeys.rename(caller.id, PasskeyId::from(id), &name).await?.into()))
}

/// Remove a passkey
///
/// Takes a fresh proof of who calls. It signs nobody in any more; sessions that it opened go on until they are ended.
#[utoipa::path(
    delete, path = "/api/v1/identity/passkeys/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The passkey")),
    responses(
        (status = 204, description = "It is gone"),
        Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>,
    )
)]
async fn remove(
    State(state): State<AppState>,
    caller: StepUp<Fresh>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, Problem> {
    state.passkeys.remove(caller.user.id, PasskeyId::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
