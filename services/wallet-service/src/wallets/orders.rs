//! `/internal/v1/wallets/{id}/…`: what staff order through admin-service. Who it was and why goes into the event, and from
//! there into the audit log.

use axum::{Json, extract::State};
use common_auth::{ServiceCaller, permissions::OrderOnWallets};
use common_utils::{
    http::{ApiJson, ApiPath, Problem, ProblemBody, Refused, Routes, routes},
    ids::WalletId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::StaffOrder;
use crate::{
    app::AppState,
    ledger::{AccountStatus, Freeze, PublicStatus},
};

pub(super) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(freeze))
        .routes(routes!(unfreeze))
        .routes(routes!(close))
        .routes(routes!(set_bounds))
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    /// Told in the event.
    #[validate(length(min = 1, max = 500, message = "must be 1 to 500 characters"))]
    reason: String,
    /// The member of staff who ordered it.
    actor_id: Uuid,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FreezeOrder {
    /// Which direction is shut.
    #[serde(default)]
    #[schema(default = "both")]
    direction: Freeze,
    /// Told in the event.
    #[validate(length(min = 1, max = 500, message = "must be 1 to 500 characters"))]
    reason: String,
    /// The member of staff who ordered it.
    actor_id: Uuid,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BoundsOrder {
    /// What is available may not fall below it, in minor units. Below zero it is a credit.
    floor: i64,
    /// What is posted may not rise above it, in minor units. It is always given; null is no such bound.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required = true)]
    ceiling: Option<i64>,
    /// Told in the event.
    #[validate(length(min = 1, max = 500, message = "must be 1 to 500 characters"))]
    reason: String,
    /// The member of staff who ordered it.
    actor_id: Uuid,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct StatusBody {
    wallet_id: Uuid,
    status: PublicStatus,
    /// While it is frozen: which direction is shut.
    freeze: Option<Freeze>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BoundsBody {
    wallet_id: Uuid,
    floor: i64,
    ceiling: Option<i64>,
}

/// Shuts a wallet in one direction or both. A wallet that is frozen otherwise is frozen like this from now on.
///
/// Shut `out`, nothing goes out, is set aside or captured; shut `in`, nothing comes in. Publishes `wallet.frozen`.
#[utoipa::path(
    post, path = "/internal/v1/wallets/{id}/freeze", tag = "internal", security(("bearer" = [])),
    request_body = FreezeOrder, params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StatusBody), Refused<404>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`wallet_closed`, `own_wallet` (it is that of who orders) or `validation_failed`."),
    )
)]
async fn freeze(
    State(state): State<AppState>,
    _: ServiceCaller<OrderOnWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(FreezeOrder { direction, reason, actor_id }): ApiJson<FreezeOrder>,
) -> Result<Json<StatusBody>, Problem> {
    set_status(&state, id, AccountStatus::Frozen(direction), Order { reason, actor_id }).await
}

/// Lets a frozen wallet be used again. Publishes `wallet.unfrozen`.
#[utoipa::path(
    post, path = "/internal/v1/wallets/{id}/unfreeze", tag = "internal", security(("bearer" = [])),
    request_body = Order, params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StatusBody), Refused<404>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`wallet_closed`, `own_wallet` (it is that of who orders) or `validation_failed`."),
    )
)]
async fn unfreeze(
    State(state): State<AppState>,
    _: ServiceCaller<OrderOnWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(order): ApiJson<Order>,
) -> Result<Json<StatusBody>, Problem> {
    set_status(&state, id, AccountStatus::Active, order).await
}

/// Closes a wallet for good: nothing goes in or out any more. It must hold nothing, and no deposit may wait for it. Publishes `wallet.closed`.
#[utoipa::path(
    post, path = "/internal/v1/wallets/{id}/close", tag = "internal", security(("bearer" = [])),
    request_body = Order, params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = StatusBody), Refused<404>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`wallet_not_empty` (it holds money, or owes some, or a deposit waits for it), `own_wallet` or `validation_failed`."),
    )
)]
async fn close(
    State(state): State<AppState>,
    _: ServiceCaller<OrderOnWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(order): ApiJson<Order>,
) -> Result<Json<StatusBody>, Problem> {
    set_status(&state, id, AccountStatus::Closed, order).await
}

async fn set_status(
    state: &AppState,
    id: WalletId,
    status: AccountStatus,
    order: Order,
) -> Result<Json<StatusBody>, Problem> {
    super::set_status(state, id, status, &order.into()).await?;
    Ok(Json(StatusBody { wallet_id: id.uuid(), status: status.into(), freeze: status.freeze() }))
}

/// Says how far a wallet's balance may go, from now on. Postings that would go further are refused with
/// `insufficient_funds` or `ceiling_exceeded`. Publishes `wallet.bounds_changed`.
#[utoipa::path(
    put, path = "/internal/v1/wallets/{id}/bounds", tag = "internal", security(("bearer" = [])),
    request_body = BoundsOrder, params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = BoundsBody), Refused<404>,
        (status = 422, body = ProblemBody, content_type = "application/problem+json",
         description = "`wallet_outside_bounds` (the balance is, as it stands), `wallet_closed`, `own_wallet` (it is that of who orders) or `validation_failed`."),
    )
)]
async fn set_bounds(
    State(state): State<AppState>,
    _: ServiceCaller<OrderOnWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(BoundsOrder { floor, ceiling, reason, actor_id }): ApiJson<BoundsOrder>,
) -> Result<Json<BoundsBody>, Problem> {
    if ceiling.is_some_and(|ceiling| ceiling < floor) {
        return Err(Problem::invalid_field("ceiling", "out_of_range", "must not be below floor"));
    }
    super::set_bounds(&state, id, floor, ceiling, &Order { reason, actor_id }.into()).await?;
    Ok(Json(BoundsBody { wallet_id: id.uuid(), floor, ceiling }))
}

impl From<Order> for StaffOrder {
    fn from(order: Order) -> Self {
        Self { staff: order.actor_id, reason: order.reason }
    }
}
