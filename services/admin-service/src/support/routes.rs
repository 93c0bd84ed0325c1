//! `/api/v1/admin/users/{id}` and `/api/v1/admin/transactions/{id}`: what support sees. Who looked at whom goes to the
//! service's own log, as for the audit log.

use axum::{Json, extract::State};
use common_auth::{Staff, permissions::LookAtCustomers};
use common_utils::{
    http::{
        ApiPath, ApiQuery, Problem, Refused, Routes,
        paging::{self, Limit, Page, PageQuery},
        routes,
    },
    ids::{TransactionId, UserId},
};

use super::view::{TransactionDetails, TransactionView, UserDetails};
use crate::app::AppState;

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(get_customer))
        .routes(routes!(list_customer_transactions))
        .routes(routes!(get_customer_transaction))
}

/// A customer: profile with masked contacts, wallets, the newest transactions and tickets. As the events have told so far.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}", tag = "customers", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = UserDetails),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_customer(
    State(state): State<AppState>,
    staff: Staff<LookAtCustomers>,
    ApiPath(id): ApiPath<UserId>,
) -> Result<Json<UserDetails>, Problem> {
    let details = super::person(&state, id).await?;
    tracing::info!(staff = %staff.id, user = %id, "looked at a customer");
    Ok(Json(details))
}

/// Lists what a customer sent and received, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/users/{id}/transactions", tag = "customers", security(("bearer" = [])),
    params(("id" = Uuid, Path), PageQuery),
    responses(
        (status = 200, body = Page<TransactionView>),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>,
    )
)]
async fn list_customer_transactions(
    State(state): State<AppState>,
    staff: Staff<LookAtCustomers>,
    ApiPath(id): ApiPath<UserId>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<TransactionView>>, Problem> {
    let before = paging::decode(query.cursor.as_deref())?;
    let page = super::transactions(&state, id, before, Limit::new(query.limit)).await?;
    tracing::info!(staff = %staff.id, user = %id, "looked at a customer's transactions");
    Ok(Json(page))
}

/// A transaction with both its sides, and the tickets about it. As the events have told so far.
#[utoipa::path(
    get, path = "/api/v1/admin/transactions/{id}", tag = "customers", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = TransactionDetails),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_customer_transaction(
    State(state): State<AppState>,
    staff: Staff<LookAtCustomers>,
    ApiPath(id): ApiPath<TransactionId>,
) -> Result<Json<TransactionDetails>, Problem> {
    let details = super::transaction(&state, id).await?;
    tracing::info!(staff = %staff.id, transaction = %id, "looked at a transaction");
    Ok(Json(details))
}
