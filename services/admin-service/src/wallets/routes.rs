//! `/api/v1/admin/wallets/{id}/freeze` and `/unfreeze`.

use axum::{Json, extract::State};
use common_auth::{Staff, permissions::FreezeWallets};
use common_utils::{
    http::{ApiJson, ApiPath, Problem, Refused, Routes, routes},
    ids::WalletId,
};
use serde::Deserialize;
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    app::AppState,
    services::{FreezeCall, WalletStatus},
    text,
};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(freeze_wallet)).routes(routes!(unfreeze_wallet))
}

/// Why; it is kept in the audit log, so it names no customer.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FreezeReason {
    #[validate(custom(function = "text::line"))]
    #[schema(min_length = 1, max_length = 200, example = "Reported as stolen")]
    reason: String,
}

/// Freezes a wallet: no money leaves or enters it.
#[utoipa::path(
    post, path = "/api/v1/admin/wallets/{id}/freeze", tag = "wallets of customers", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = FreezeReason,
    responses(
        (status = 200, body = WalletStatus),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>, Refused<503>,
    )
)]
async fn freeze_wallet(
    State(state): State<AppState>,
    staff: Staff<FreezeWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(body): ApiJson<FreezeReason>,
) -> Result<Json<WalletStatus>, Problem> {
    Ok(Json(super::change_freeze(&state, FreezeCall::Freeze, id, &body.reason, staff.id).await?))
}

/// Lets a frozen wallet work again.
#[utoipa::path(
    post, path = "/api/v1/admin/wallets/{id}/unfreeze", tag = "wallets of customers", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = FreezeReason,
    responses(
        (status = 200, body = WalletStatus),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>, Refused<503>,
    )
)]
async fn unfreeze_wallet(
    State(state): State<AppState>,
    staff: Staff<FreezeWallets>,
    ApiPath(id): ApiPath<WalletId>,
    ApiJson(body): ApiJson<FreezeReason>,
) -> Result<Json<WalletStatus>, Problem> {
    Ok(Json(super::change_freeze(&state, FreezeCall::Unfreeze, id, &body.reason, staff.id).await?))
}
