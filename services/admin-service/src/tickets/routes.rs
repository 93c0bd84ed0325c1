//! `/api/v1/admin/tickets`: what staff do with tickets.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use common_auth::{Staff, permissions::WorkOnTickets};
use common_db::idempotency::{self, RepeatableCall, SavedResponse};
use common_utils::{
    http::{
        ApiJson, ApiPath, ApiQuery, Problem, Refused, Routes,
        paging::{self, Limit, Page},
        routes,
    },
    ids::{TicketId, UserId},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    Answer,
    entity::{NewTicket, Person, Priority, Status},
    repo::Filter,
    view::{RelatedTo, TicketView, Viewer},
};
use crate::{app::AppState, text};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(create_ticket, list_tickets))
        .routes(routes!(get_ticket))
        .routes(routes!(comment_ticket))
        .routes(routes!(assign_ticket))
        .routes(routes!(resolve_ticket))
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateTicket {
    #[validate(custom(function = "text::line"))]
    #[schema(min_length = 1, max_length = 200, example = "Transfer not received")]
    subject: String,
    #[validate(custom(function = "text::prose"))]
    #[schema(min_length = 1, max_length = 5000)]
    description: String,
    #[schema(value_type = Uuid)]
    requester_id: UserId,
    #[serde(default)]
    #[schema(default = "normal")]
    priority: Priority,
    related_to: Option<RelatedTo>,
}

#[derive(Debug, Serialize, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateTicketComment {
    #[validate(custom(function = "text::prose"))]
    #[schema(min_length = 1, max_length = 5000)]
    body: String,
    /// Seen by staff alone.
    #[serde(default)]
    internal: bool,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AssignTicket {
    /// Somebody who works on tickets.
    #[schema(value_type = Uuid)]
    assignee_id: UserId,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResolveTicket {
    #[validate(custom(function = "text::prose"))]
    #[schema(min_length = 1, max_length = 5000)]
    resolution: String,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicketQuery {
    status: Option<Status>,
    #[param(value_type = Option<Uuid>)]
    assignee_id: Option<UserId>,
    #[param(value_type = Option<Uuid>)]
    requester_id: Option<UserId>,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Opens a ticket for a customer.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets", tag = "tickets", security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time.")),
    request_body = CreateTicket,
    responses(
        (status = 201, body = TicketView),
        Refused<401>, Refused<403>, Refused<422>, Refused<503>,
    )
)]
async fn create_ticket(
    State(state): State<AppState>,
    staff: Staff<WorkOnTickets>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateTicket>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, staff.id, "ticket.create", &body)?;
    let new = NewTicket {
        subject: body.subject,
        description: body.description,
        priority: body.priority,
        requester: body.requester_id,
        related: body.related_to.map(Into::into),
    };
    Ok(super::create(&state, Person::Staff(staff.id), new, &call).await?.into_response())
}

/// Lists tickets, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/tickets", tag = "tickets", security(("bearer" = [])), params(TicketQuery),
    responses(
        (status = 200, body = Page<TicketView>),
        Refused<401>, Refused<403>, Refused<422>,
    )
)]
async fn list_tickets(
    State(state): State<AppState>,
    _staff: Staff<WorkOnTickets>,
    ApiQuery(query): ApiQuery<TicketQuery>,
) -> Result<Json<Page<TicketView>>, Problem> {
    let after: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let (status, assignee, requester) = (query.status, query.assignee_id, query.requester_id);
    let filter = Filter { status, assignee, requester, related: None };
    let page = super::list(&state, Viewer::Staff, &filter, after, Limit::new(query.limit)).await?;
    Ok(Json(page))
}

/// A ticket with all its comments.
#[utoipa::path(
    get, path = "/api/v1/admin/tickets/{id}", tag = "tickets", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<403>, Refused<404>,
    )
)]
async fn get_ticket(
    State(state): State<AppState>,
    staff: Staff<WorkOnTickets>,
    ApiPath(id): ApiPath<TicketId>,
) -> Result<Json<TicketView>, Problem> {
    Ok(Json(super::get(&state, Person::Staff(staff.id), id).await?))
}

/// Comments on a ticket, for the customer or for staff alone.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets/{id}/comments", tag = "tickets", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time."),
    ),
    request_body = CreateTicketComment,
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>,
    )
)]
async fn comment_ticket(
    State(state): State<AppState>,
    staff: Staff<WorkOnTickets>,
    ApiPath(id): ApiPath<TicketId>,
    headers: HeaderMap,
    ApiJson(body): ApiJson<CreateTicketComment>,
) -> Result<Response, Problem> {
    let call = RepeatableCall::read(&headers, staff.id, &format!("ticket.comment:{id}"), &body)?;
    let content = (body.body, body.internal);
    Ok(super::comment(&state, Person::Staff(staff.id), id, content, &call).await?.into_response())
}

/// Gives a ticket to somebody who works on tickets; it is then in progress.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets/{id}/assign", tag = "tickets", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = AssignTicket,
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>,
    )
)]
async fn assign_ticket(
    State(state): State<AppState>,
    staff: Staff<WorkOnTickets>,
    ApiPath(id): ApiPath<TicketId>,
    ApiJson(body): ApiJson<AssignTicket>,
) -> Result<Json<TicketView>, Problem> {
    Ok(Json(super::assign(&state, staff.id, id, body.assignee_id).await?))
}

/// Resolves a ticket.
#[utoipa::path(
    post, path = "/api/v1/admin/tickets/{id}/resolve", tag = "tickets", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = ResolveTicket,
    responses(
        (status = 200, body = TicketView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>,
    )
)]
async fn resolve_ticket(
    State(state): State<AppState>,
    staff: Staff<WorkOnTickets>,
    ApiPath(id): ApiPath<TicketId>,
    ApiJson(body): ApiJson<ResolveTicket>,
) -> Result<Json<TicketView>, Problem> {
    Ok(Json(super::resolve(&state, staff.id, id, body.resolution).await?))
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Ticket(answer) => shown(answer).into_response(),
            Self::Replayed(answer) => idempotency::replayed(shown(answer)),
        }
    }
}

fn shown(answer: SavedResponse) -> (StatusCode, Json<serde_json::Value>) {
    (StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK), Json(answer.body))
}
