//! `/api/v1/identity/api-keys`: one's own keys. Somebody else's is as if it were not there.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use common_auth::{CurrentUser, Scope, StepUp, step_up::BesidePassword};
use common_db::idempotency::{self, IdempotencyKey};
use common_utils::http::{
    ApiJson, ApiPath, FieldErrors, Problem, ProblemBody, Refused, Routes, paging::Page, routes,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{
    Created, Handed, KeyView, NewKey,
    entity::{ApiKeyId, LONGEST_DAYS, Secret},
    text,
};
use crate::{app::AppState, passwords::routes::current_password};

const DEFAULT_DAYS: u16 = 90;

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CreateApiKeyRequest {
    /// What you call it.
    #[schema(example = "Web shop", min_length = 1, max_length = 60)]
    name: String,
    /// What a machine may do with it.
    #[schema(min_items = 1, max_items = 3)]
    scopes: Vec<Scope>,
    /// 90, if it is left out.
    #[schema(minimum = 1, maximum = 365, default = 90)]
    expires_in_days: Option<u16>,
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
}

impl CreateApiKeyRequest {
    fn parse(&self) -> Result<NewKey, Problem> {
        let mut errors = FieldErrors::new();
        let name = errors.take("name", self.name.parse());
        if self.scopes.is_empty() || self.scopes.len() > Scope::ALL.len() {
            errors.push("scopes", "length", "must name at least one scope, and each once");
        }
        let days = self.expires_in_days.unwrap_or(DEFAULT_DAYS);
        if !(1..=LONGEST_DAYS).contains(&days) {
            errors.push("expiresInDays", "out_of_range", format!("must be 1 to {LONGEST_DAYS}"));
        }
        let Some(name) = name else { return Err(errors.into_problem()) };
        errors.into_result()?;
        Ok(NewKey { name, scopes: self.scopes.iter().copied().collect(), days })
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RotateApiKeyRequest {
    #[schema(value_type = String, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: SecretString,
    /// The last secret, and all that was got with it, ends at once, and not after a day: somebody else has it.
    #[schema(default = false)]
    immediately: Option<bool>,
}

/// One secret of a key, as far as it can be shown again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKeySecret)]
struct SecretBody {
    /// How the key begins that has it: no secret yet.
    #[schema(example = "wpk_0193b2f57f3a7c1e9d5b4a2c6e8f0a1b")]
    prefix: String,
    created_at: DateTime<Utc>,
    valid_until: DateTime<Utc>,
    /// To within ten minutes.
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Secret> for SecretBody {
    fn from(secret: Secret) -> Self {
        Self {
            prefix: text::prefix_of(secret.id),
            created_at: secret.created_at,
            valid_until: secret.valid_until,
            last_used_at: secret.last_used_at,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ApiKey)]
pub(crate) struct ApiKeyBody {
    /// The `client_id` of the machine.
    id: Uuid,
    #[schema(example = "Web shop")]
    name: String,
    scopes: Vec<Scope>,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// In force, newest first: two, while it is rotated.
    secrets: Vec<SecretBody>,
}

impl From<KeyView> for ApiKeyBody {
    fn from(KeyView { key, secrets }: KeyView) -> Self {
        Self {
            id: key.id.uuid(),
            name: key.name.as_str().to_owned(),
            scopes: key.scopes.iter().collect(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            secrets: secrets.into_iter().map(SecretBody::from).collect(),
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HandedApiKey {
    api_key: ApiKeyBody,
    /// The `client_secret` of the machine. It is shown this once: null in the answer to a call that is repeated with its `Idempotency-Key`.
    #[schema(
        example = "wpk_0193b2f57f3a7c1e9d5b4a2c6e8f0a1b_9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08_3a7bd3e2"
    )]
    client_secret: Option<String>,
}

impl From<Handed> for HandedApiKey {
    fn from(handed: Handed) -> Self {
        Self { api_key: handed.view.into(), client_secret: Some(handed.text.encode().as_str().to_owned()) }
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(rotate))
}

/// One's API keys
///
/// Those in force, newest first; there are at most 20, on one page.
#[utoipa::path(
    get, path = "/api/v1/identity/api-keys", tag = "identity", security(("bearer" = [])),
    responses((status = 200, body = Page<ApiKeyBody>), Refused<401>)
)]
async fn list(State(state): State<AppState>, caller: CurrentUser) -> Result<Json<Page<ApiKeyBody>>, Problem> {
    let items = state.api_keys.list(caller.id).await?;
    Ok(Json(Page { items: items.into_iter().map(ApiKeyBody::from).collect(), next_cursor: None }))
}

/// Make an API key
///
/// With it a machine gets tokens at `POST /api/v1/identity/oauth/token`, and acts for you as far as the scopes go. Publishes `identity.api_key.created`, and
/// tells you by e-mail.
///
/// The secret is shown once, and kept nowhere. Repeated with the same `Idempotency-Key` and content the call makes no second key: it answers the one that
/// was made, as it is by now, with `clientSecret` null. Who lost the first answer rotates that key.
#[utoipa::path(
    post, path = "/api/v1/identity/api-keys", tag = "identity", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and content answer the API key of the first time, without its secret.")),
    request_body = CreateApiKeyRequest,
    responses(
        (status = 201, description = "It is made", body = HandedApiKey),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has a second factor, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "Repeated, and the key that was made is forgotten", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`, `limit_exceeded` and `idempotency_key_reused`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn create(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    headers: HeaderMap,
    ApiJson(request): ApiJson<CreateApiKeyRequest>,
) -> Result<Response, Problem> {
    let call = IdempotencyKey::optional(&headers)?;
    let new = request.parse()?;
    let password = current_password(request.current_password)?;
    let shown = |key: HandedApiKey| (StatusCode::CREATED, Json(key));
    Ok(match state.api_keys.create(caller.user.id, new, password, call).await? {
        Created::Now(handed) => shown(handed.into()).into_response(),
        Created::Before(view) => {
            idempotency::replayed(shown(HandedApiKey { api_key: view.into(), client_secret: None }))
        }
    })
}

/// Get an API key another secret
///
/// The last one goes on for a day, so that machines can be told without a pause; with `immediately` it ends at once. Publishes
/// `identity.api_key.rotated`, and tells you by e-mail.
#[utoipa::path(
    post, path = "/api/v1/identity/api-keys/{id}/rotate", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The key")), request_body = RotateApiKeyRequest,
    responses(
        (status = 200, description = "It has another secret", body = HandedApiKey),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has a second factor, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>, Refused<415>,
        (status = 422, description = "Among others a wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn rotate(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<RotateApiKeyRequest>,
) -> Result<Json<HandedApiKey>, Problem> {
    let immediately = request.immediately.unwrap_or(false);
    let password = current_password(request.current_password)?;
    let handed = state.api_keys.rotate(caller.user.id, ApiKeyId::from(id), immediately, password).await?;
    Ok(Json(handed.into()))
}

/// Revoke an API key
///
/// It gives no token any more, and tokens that it gave are refused. Revoking it again changes nothing. Publishes `identity.api_key.revoked`.
#[utoipa::path(
    delete, path = "/api/v1/identity/api-keys/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The key")),
    responses((status = 204, description = "It is revoked"), Refused<401>, Refused<404>)
)]
async fn revoke(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, Problem> {
    state.api_keys.revoke(caller.id, ApiKeyId::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
