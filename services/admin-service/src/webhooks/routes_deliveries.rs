//! `/api/v1/admin/webhook-endpoints/{id}/deliveries`: what was sent, what came back, sending again, and a test.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use common_auth::{Staff, permissions::ManageWebhooks};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, Problem, Refused, Routes,
    paging::{self, Limit, Page},
    routes,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    delivery::{Delivery, DeliveryStatus},
    endpoints,
    error::WebhookError,
    repo::deliveries::{self, Filter},
    resending, testing,
    view::{DeliveryDetails, DeliveryView},
};
use crate::{app::AppState, text};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(test_webhook_endpoint))
        .routes(routes!(resend_webhooks))
        .routes(routes!(list_webhook_deliveries))
        .routes(routes!(get_webhook_delivery))
        .routes(routes!(resend_webhook))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WebhookDeliveryQuery {
    status: Option<DeliveryStatus>,
    #[validate(custom(function = "text::line"))]
    #[param(example = "wallet.credited", min_length = 1, max_length = 200)]
    event_type: Option<String>,
    /// The `webhook-id`, and the id of the event.
    message_id: Option<Uuid>,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// The period in which deliveries were made: from a moment on, and before another one or until now.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResendWebhooks {
    from: DateTime<Utc>,
    to: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResendOrder {
    /// How many deliveries are sent again: at most 1000 a call, the oldest first.
    resending: u64,
}

/// Lists deliveries of an endpoint, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-endpoints/{id}/deliveries", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path), WebhookDeliveryQuery),
    responses(
        (status = 200, body = Page<DeliveryView>),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>,
    )
)]
async fn list_webhook_deliveries(
    State(state): State<AppState>,
    _staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
    ApiQuery(query): ApiQuery<WebhookDeliveryQuery>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let before: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let limit = Limit::new(query.limit);
    let filter = Filter { status: query.status, event_type: query.event_type, message: query.message_id };
    endpoints::get(&state, id).await?;
    let found =
        deliveries::list(&state.pool, id, &filter, before, limit).await.map_err(WebhookError::from)?;
    Ok(Json(Page::from_rows(found, limit, |delivery| delivery.id).map(Into::into)))
}

/// A delivery with what is sent, which may hold personal data, and all attempts.
#[utoipa::path(
    get, path = "/api/v1/admin/webhook-endpoints/{id}/deliveries/{deliveryId}", tag = "webhooks",
    security(("bearer" = [])), params(("id" = Uuid, Path), ("deliveryId" = Uuid, Path)),
    responses(
        (status = 200, body = DeliveryDetails),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_webhook_delivery(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath((id, delivery_id)): ApiPath<(Uuid, Uuid)>,
) -> Result<Json<DeliveryDetails>, Problem> {
    endpoints::get(&state, id).await?;
    let found = deliveries::find(&state.pool, id, delivery_id).await.map_err(WebhookError::from)?;
    let details = details(&state, found.ok_or(WebhookError::NoDelivery)?).await?;
    tracing::info!(security = true, staff = %staff.id, delivery = %delivery_id, "read a webhook delivery");
    Ok(Json(details))
}

async fn details(state: &AppState, delivery: Delivery) -> Result<DeliveryDetails, WebhookError> {
    let payload = deliveries::payload(&state.pool, delivery.message_id).await?;
    let log = deliveries::attempts(&state.pool, delivery.id).await?;
    Ok(DeliveryDetails {
        delivery: delivery.into(),
        payload: payload.ok_or(WebhookError::NoDelivery)?,
        log: log.into_iter().map(Into::into).collect(),
    })
}

/// Sends a delivery again, under the same `webhook-id`, with all attempts before it.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/deliveries/{deliveryId}/resend", tag = "webhooks",
    security(("bearer" = [])), params(("id" = Uuid, Path), ("deliveryId" = Uuid, Path)),
    responses(
        (status = 202, body = DeliveryView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<503>,
    )
)]
async fn resend_webhook(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(ids): ApiPath<(Uuid, Uuid)>,
) -> Result<(StatusCode, Json<DeliveryView>), Problem> {
    let delivery = resending::resend(&state, ids, staff.id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}

/// Sends again what was made in a period and failed or was cancelled.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/resend", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = ResendWebhooks,
    responses(
        (status = 202, body = ResendOrder),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>, Refused<503>,
    )
)]
async fn resend_webhooks(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<ResendWebhooks>,
) -> Result<(StatusCode, Json<ResendOrder>), Problem> {
    if body.to.is_some_and(|to| to <= body.from) {
        return Err(Problem::invalid_field("to", "out_of_range", "must be after `from`"));
    }
    let resending = resending::resend_period(&state, id, (body.from, body.to), staff.id).await?;
    Ok((StatusCode::ACCEPTED, Json(ResendOrder { resending })))
}

/// Sends a message of type `webhook.test` now, once, and answers with what came back. It changes nothing about the endpoint.
#[utoipa::path(
    post, path = "/api/v1/admin/webhook-endpoints/{id}/test", tag = "webhooks", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = DeliveryDetails),
        Refused<401>, Refused<403>, Refused<404>, Refused<503>,
    )
)]
async fn test_webhook_endpoint(
    State(state): State<AppState>,
    staff: Staff<ManageWebhooks>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<DeliveryDetails>, Problem> {
    let delivery = testing::test(&state, id, staff.id).await?;
    Ok(Json(details(&state, delivery).await?))
}
