//! `/api/v1/admin/dead-letters`: messages that a consumer could not handle.

use axum::{Json, extract::State, http::StatusCode};
use common_auth::{Staff, permissions::HandleDeadLetters};
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
    entity::Status,
    error::DeadLetterError,
    repo::{self, Filter},
    view::{DeadLetterView, MessageView},
};
use crate::{app::AppState, text};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(list_dead_letters))
        .routes(routes!(replay_dead_letters))
        .routes(routes!(get_dead_letter))
        .routes(routes!(replay_dead_letter))
        .routes(routes!(discard_dead_letter))
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeadLetterQuery {
    status: Option<Status>,
    /// The topic that the message was taken from.
    #[validate(custom(function = "text::line"))]
    #[param(example = "wallet-events", min_length = 1, max_length = 200)]
    topic: Option<String>,
    /// The consumer group that could not handle it.
    #[validate(custom(function = "text::line"))]
    #[param(example = "transaction-service", min_length = 1, max_length = 200)]
    group: Option<String>,
    /// The type of the event.
    #[validate(custom(function = "text::line"))]
    #[param(example = "wallet.credited", min_length = 1, max_length = 200)]
    event_type: Option<String>,
    event_id: Option<Uuid>,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// Which open letters are put back: those that fit all that is given, at least one of which has to be.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReplayDeadLetters {
    #[validate(length(min = 1, max = 1000, message = "must have 1 to 1000 ids"))]
    #[schema(min_items = 1, max_items = 1000)]
    ids: Option<Vec<Uuid>>,
    #[validate(custom(function = "text::line"))]
    #[schema(example = "wallet-events", min_length = 1, max_length = 200)]
    topic: Option<String>,
    #[validate(custom(function = "text::line"))]
    #[schema(example = "transaction-service", min_length = 1, max_length = 200)]
    group: Option<String>,
    #[validate(custom(function = "text::line"))]
    #[schema(example = "wallet.credited", min_length = 1, max_length = 200)]
    event_type: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayOrder {
    /// How many letters are on their way back: at most 1000 a call, the oldest first.
    replaying: usize,
}

/// Why; it is kept in the audit log, so it names no customer.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DiscardReason {
    #[validate(custom(function = "text::line"))]
    #[schema(min_length = 1, max_length = 200, example = "A test of the staging system")]
    reason: String,
}

/// Lists dead letters, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/dead-letters", tag = "dead letters", security(("bearer" = [])), params(DeadLetterQuery),
    responses(
        (status = 200, body = Page<DeadLetterView>),
        Refused<401>, Refused<403>, Refused<422>,
    )
)]
async fn list_dead_letters(
    State(state): State<AppState>,
    _staff: Staff<HandleDeadLetters>,
    ApiQuery(query): ApiQuery<DeadLetterQuery>,
) -> Result<Json<Page<DeadLetterView>>, Problem> {
    let before: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let limit = Limit::new(query.limit);
    let filter = Filter {
        status: query.status,
        topic: query.topic,
        group: query.group,
        kind: query.event_type,
        event: query.event_id,
        ids: None,
    };
    let letters = repo::list(&state.pool, &filter, before, limit).await.map_err(DeadLetterError::from)?;
    Ok(Json(Page::from_rows(letters, limit, |letter| letter.id).map(Into::into)))
}

/// A dead letter with its message, which may hold personal data.
#[utoipa::path(
    get, path = "/api/v1/admin/dead-letters/{id}", tag = "dead letters", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = MessageView),
        Refused<401>, Refused<403>, Refused<404>, Refused<422>,
    )
)]
async fn get_dead_letter(
    State(state): State<AppState>,
    staff: Staff<HandleDeadLetters>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<MessageView>, Problem> {
    let letter = repo::find(&state.pool, id).await.map_err(DeadLetterError::from)?;
    let message = repo::message(&state.pool, id).await.map_err(DeadLetterError::from)?;
    let (letter, message) = letter.zip(message).ok_or(DeadLetterError::NotFound)?;
    tracing::info!(security = true, staff = %staff.id, letter = %id, "read a dead letter");
    Ok(Json(MessageView::new(letter, message)))
}

/// Puts the message back into its topic, as it came and under the same id. Consumers that had it drop it.
#[utoipa::path(
    post, path = "/api/v1/admin/dead-letters/{id}/replay", tag = "dead letters", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 202, body = DeadLetterView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>, Refused<503>,
    )
)]
async fn replay_dead_letter(
    State(state): State<AppState>,
    staff: Staff<HandleDeadLetters>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<(StatusCode, Json<DeadLetterView>), Problem> {
    let letter = super::replay(&state, id, staff.id).await?;
    Ok((StatusCode::ACCEPTED, Json(letter.into())))
}

/// Puts many messages back. What is on its way already, or was discarded, is left alone; so is, unless it is named by its id,
/// what could not be tried at all (`attempts` 0): it would come back, once for each consumer.
#[utoipa::path(
    post, path = "/api/v1/admin/dead-letters/replay", tag = "dead letters", security(("bearer" = [])),
    request_body = ReplayDeadLetters,
    responses(
        (status = 202, body = ReplayOrder),
        Refused<401>, Refused<403>, Refused<422>, Refused<503>,
    )
)]
async fn replay_dead_letters(
    State(state): State<AppState>,
    staff: Staff<HandleDeadLetters>,
    ApiJson(body): ApiJson<ReplayDeadLetters>,
) -> Result<(StatusCode, Json<ReplayOrder>), Problem> {
    let filter = Filter {
        ids: body.ids,
        topic: body.topic,
        group: body.group,
        kind: body.event_type,
        ..Filter::default()
    };
    if filter.ids.is_none() && filter.topic.is_none() && filter.group.is_none() && filter.kind.is_none() {
        let say = "must be given, or topic, group or eventType";
        return Err(Problem::invalid_field("ids", "required", say));
    }
    let replaying = super::replay_many(&state, &filter, staff.id).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayOrder { replaying })))
}

/// Gives a message up. That is final.
#[utoipa::path(
    post, path = "/api/v1/admin/dead-letters/{id}/discard", tag = "dead letters", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = DiscardReason,
    responses(
        (status = 200, body = DeadLetterView),
        Refused<401>, Refused<403>, Refused<404>, Refused<409>, Refused<422>, Refused<503>,
    )
)]
async fn discard_dead_letter(
    State(state): State<AppState>,
    staff: Staff<HandleDeadLetters>,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(body): ApiJson<DiscardReason>,
) -> Result<Json<DeadLetterView>, Problem> {
    Ok(Json(super::discard(&state, id, staff.id, body.reason).await?.into()))
}
