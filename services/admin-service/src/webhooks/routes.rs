//! `/api/v1/admin/webhook-endpoints`: where events are sent, and who may read along.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use common_auth::{Staff, permissions::ManageWebhooks};
use common_db::idempotency::{self, RepeatableCall};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, FieldError, Problem, Refused, Routes,
    paging::{self, Limit, Page, PageQuery},
    routes,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{
    endpoints::{self, Created},
    entity::{EndpointChange, NewEndpoint},
    error::WebhookError,
    repo,
    subscription::{Pattern, published_types},
    view::{EndpointView, EndpointWithSecret},
};
use crate::{app::AppState, text};

const MOST_EVENT_TYPES: usize = 50;

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(create_webhook_endpoint, list_webhook_endpoints))
        .routes(routes!(get_webhook_endpoint, update_webhook_endpoint, delete_webhook_endpoint))
        .routes(routes!(enable_webhook_endpoint))
        .routes(routes!(disable_webhook_endpoint))
        .routes(routes!(rotate_webhook_secret))
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateWebhookEndpoint {
    /// Of the public internet, by HTTPS.
    #[schema(min_length = 1, max_length = 2000, example = "https://example.com/webhooks")]
    url: String,
    #[serde(default)]
    #[validate(custom(function = "text::remark"))]
    #[schema(max_length = 200, example = "The ledger of Example Ltd")]
    description: String,
    /// Types of events, or beginnings of them with `*` for the rest: `transaction.completed`, `wallet.*`, `*`.
    #[schema(min_items = 1, max_items = 50, example = json!(["wallet.*", "transaction.completed"]))]
    event_types: Vec<String>,
}

/// What is left out stays as it is.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UpdateWebhookEndpoint {
    #[schema(min_length = 1, max_length = 2000, example = "https://example.com/webhooks")]
    url: Option<String>,
    #[validate(custom(function = "text::remark"))]
    #[schema(max_length = 200)]
    description: Option<String>,
    #[schema(min_items = 1, max_items = 50, example = json!(["wallet.*"]))]
    event_types: Option<Vec<String>>,
}

/// Why; it is kept in the audit log, so it names no customer.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DisableWebhookEndpoint {
    #[validate(custom(function = "text::line"))]
    #[schema(min_length = 1, max_length = 200, example = "The receiver is moving house")]
    reason: String,
}

/// Each once, and sorted. What fits no type is named with what would.
fn event_types(texts: &[String]) -> Result<Vec<Pattern>, Problem> {
    if texts.is_empty() || texts.len() > MOST_EVENT_TYPES {
        let say = format!("must have 1 to {MOST_EVENT_TYPES} types");
        return Err(Problem::invalid_field("eventTypes", "length", say));
    }
    let (mut patterns, mut errors) = (Vec::new(), Vec::new());
    for (place, text) in texts.iter().enumerate() {
        match Pattern::parse(text) {
            Some(pattern) => patterns.push(pattern),
            None => errors.push(FieldError::new(
                format!("eventTypes[{place}]"),
                "unknown_event_type",
                format!(
                    "must be `*`, or one of these or a beginning of one such as `wallet.*`: {}",
                    published_types()
                ),
            )),
        }
    }
    patterns.sort();
    patterns.dedup();
    if errors.is_empty() { Ok(patterns) } else { Err(Problem::validation(errors)) }
}

/// Makes an endpoint. It gets what happens from now on. The answer shows the secret, once.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints", tag = "webhooks", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time.")),
    request_body = CreateWebhookEndpoint,
    responses(
        (status = 201, body = EndpointWithSecret),
        Refused<401>, Refused<403>, Refused<409>, Refused<422>, Refused<503>,
    )
)]
async fn create_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateWebhookEndpoint>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, staff.id, "webhook_endpoint.create", &body)?;
    let url = state.webhooks.addresses.parse(&body.url).map_err(WebhookError::from)?;
    let new =
        NewEndpoint { url, description: body.description, event_types: event_types(&body.event_types)? };
    Ok(endpoints::create(&state, staff.id, new, &call).await?.into_response())
}

impl IntoResponse for Created {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.answer.status).unwrap_or(StatusCode::CREATED);
        let mut body = self.answer.body;
        body["secret"] = serde_json::json!(self.secret);
        let answer = (status, Json(body));
        if self.replayed { idempotency::replayed(answer) } else { answer.into_response() }
    }
}

/// Lists endpoints, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-endpoints", tag = "webhooks", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, body = Page<EndpointView>),
        Refused<401>, Refused<403>, Refused<422>,
    )
)]
async fn list_webhook_endpoints(
    State(state): State<AppState>,
    _staff: Staff<ManageWebhooks>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<EndpointView>>, Problem> {
    let before: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let limit = Limit::new(query.limit);
    let endpoints = repo::endpoints::list(&state.pool, before, limit).await?;
    Ok(Json(Page::from_rows(endpoints, limit, |endpoint| endpoint.id).map(Into::into)))
}

/// An endpoint, without its secret.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-endpoints/{id}", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = EndpointView),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_webhook_endpoint(
    State(state): State<AppState>,
    _staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<EndpointView>, Problem> {
    Ok(Json(endpoints::get(&state, id).await?.into()))
}

/// Changes an endpoint. Types count for what happens from now on, and what happened before is sent as it was asked for then. An
/// address counts for all that is still to be sent.
#[utoipa::path(
    patch, path = "/api/v1/admin/webhook-endpoints/{id}", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = UpdateWebhookEndpoint,
    responses(
        (status = 200, body = EndpointView),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>, Refused<503>,
    )
)]
async fn update_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<UpdateWebhookEndpoint>,
) -> Result<Json<EndpointView>, Problem> {
    let parse = |url: String| state.webhooks.addresses.parse(&url).map_err(WebhookError::from);
    let change = EndpointChange {
        url: body.url.map(parse).transpose()?,
        description: body.description,
        event_types: body.event_types.as_deref().map(event_types).transpose()?,
    };
    Ok(Json(endpoints::update(&state, id, staff.id, change).await?.into()))
}

/// Deletes an endpoint for good. What waits for it is cancelled; its log can no longer be read.
#[utoipa::path(
    delete, path = "/api/v1/admin/webhook-endpoints/{id}", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 204),
        Refused<401>, Refused<403>, Refused<404>, Refused<503>,
    )
)]
async fn delete_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, Problem> {
    endpoints::delete(&state, id, staff.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a disabled endpoint get events again: what happens from now on. What was cancelled can be sent again.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/enable", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = EndpointView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<503>,
    )
)]
async fn enable_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<EndpointView>, Problem> {
    Ok(Json(endpoints::enable(&state, id, staff.id).await?.into()))
}

/// Lets an endpoint get nothing any more. What waits for it is cancelled.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/disable", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = DisableWebhookEndpoint,
    responses(
        (status = 200, body = EndpointView),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>, Refused<503>,
    )
)]
async fn disable_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<DisableWebhookEndpoint>,
) -> Result<Json<EndpointView>, Problem> {
    Ok(Json(endpoints::disable(&state, id, staff.id, body.reason).await?.into()))
}

/// Makes a new secret and shows it, once. The one before signs beside it for 24 hours.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/rotate-secret", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = EndpointWithSecret),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<503>,
    )
)]
async fn rotate_webhook_secret(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<EndpointWithSecret>, Problem> {
    Ok(Json(endpoints::rotate_secret(&state, id, staff.id).await?))
}
