//! `/api/v1/admin/tickets/mine`: a customer's own tickets. Somebody else's is 404; internal comments are never shown.

use axum::{
    Json,
    extract::State,
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use common_auth::CurrentUser;
use common_db::idempotency::RepeatableCall;
use common_utils::{
    http::{
        ApiJson, ApiPath, ApiQuery, Problem, Refused, Routes,
        paging::{self, Limit, Page, PageQuery},
        routes,
    },
    ids::TicketId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{
    entity::{NewTicket, Person, Priority},
    repo::Filter,
    view::{RelatedTo, TicketView, Viewer},
};
use crate::{app::AppState, text};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(create_own_ticket, list_own_tickets))
        .routes(routes!(get_own_ticket))
        .routes(routes!(comment_own_ticket))
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateOwnTicket {
    #[validate(custom(function = "text::line"))]
    #[schema(min_length = 1, max_length = 200, example = "Transfer not received")]
    subject: String,
    #[validate(custom(function = "text::prose"))]
    #[schema(min_length = 1, max_length = 5000)]
    description: String,
    /// A transaction or wallet of one's own, or oneself.
    related_to: Option<RelatedTo>,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateOwnTicketComment {
    #[validate(custom(function = "text::prose"))]
    #[schema(min_length = 1, max_length = 5000)]
    body: String,
}

/// Opens a ticket of one's own.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets/mine", tag = "own tickets", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time.")),
    request_body = CreateOwnTicket,
    responses(
        (status = 201, body = TicketView),
        Refused<401>, Refused<422>, Refused<503>,
    )
)]
async fn create_own_ticket(
    State(state): State<AppState>,
    user: CurrentUser,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateOwnTicket>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, user.id, "ticket.create_own", &body)?;
    let new = NewTicket {
        subject: body.subject,
        description: body.description,
        priority: Priority::default(),
        requester: user.id,
        related: body.related_to.map(Into::into),
    };
    Ok(super::create(&state, Person::Customer(user.id), new, &call).await?.into_response())
}

/// Lists one's own tickets, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/tickets/mine", tag = "own tickets", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, body = Page<TicketView>),
        Refused<401>, Refused<422>,
    )
)]
async fn list_own_tickets(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<Json<Page<TicketView>>, Problem> {
    let after: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let filter = Filter { requester: Some(user.id), ..Filter::default() };
    let page = super::list(&state, Viewer::Customer, &filter, after, Limit::new(query.limit)).await?;
    Ok(Json(page))
}

/// One of one's own tickets, with the comments that are not internal.
#[utoipa::path(
    get, path = "/api/v1/admin/tickets/mine/{id}", tag = "own tickets", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<404>,
    )
)]
async fn get_own_ticket(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiPath(id): ApiPath<TicketId>,
) -> Result<Json<TicketView>, Problem> {
    Ok(Json(super::get(&state, Person::Customer(user.id), id).await?))
}

/// Comments on one of one's own tickets.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets/mine/{id}/comments", tag = "own tickets", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time."),
    ),
    request_body = CreateOwnTicketComment,
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<404>, Refused<409>, Refused<422>,
    )
)]
async fn comment_own_ticket(
    State(state): State<AppState>,
    user: CurrentUser,
    ApiPath(id): ApiPath<TicketId>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateOwnTicketComment>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, user.id, &format!("ticket.comment_own:{id}"), &body)?;
    let content = (body.body, false);
    Ok(super::comment(&state, Person::Customer(user.id), id, content, &call).await?.into_response())
}
