//! `/api/v1/identity/sessions`: where one is signed in, and how one ends that.

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use common_auth::CurrentUser;
use common_utils::http::{
    ApiPath, ApiQuery, Problem, Refused, Routes,
    paging::{Page, PageQuery},
    routes,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    entity::{SessionId, Which},
    repo::Listed,
};
use crate::app::AppState;

/// One place where somebody is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session)]
pub(crate) struct SessionBody {
    id: Uuid,
    created_at: DateTime<Utc>,
    /// When it last got a new access token.
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    /// What the client said it was when it signed in, at most 200 characters of it.
    #[schema(example = "Mozilla/5.0 (Android 16; Mobile; rv:140.0) Firefox/140.0")]
    device: Option<String>,
    /// The address it signed in from.
    #[schema(example = "102.89.23.4")]
    ip: Option<String>,
    /// The one that this call is made with.
    current: bool,
}

impl SessionBody {
    fn of(listed: Listed, current: Uuid) -> Self {
        Self {
            id: listed.id,
            created_at: listed.created_at,
            last_used_at: listed.last_used_at,
            expires_at: listed.expires_at,
            device: listed.device,
            ip: listed.address,
            current: listed.id == current,
        }
    }
}

#[derive(Debug, Default, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EndQuery {
    /// Also the session that this call is made with.
    #[param(default = false)]
    current: Option<bool>,
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(list, end_many)).routes(routes!(end))
}

/// Where one is signed in
///
/// One's sessions that go on, newest first.
#[utoipa::path(
    get, path = "/api/v1/identity/sessions", tag = "identity", security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<SessionBody>), Refused<401>, Refused<422>)
)]
async fn list(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<Page<SessionBody>>, Problem> {
    let listed = state.sessions.list(&caller, &page).await?;
    Ok(Json(listed.map(|session| SessionBody::of(session, caller.claims.sid))))
}

/// Sign out everywhere else
///
/// Ends all one's sessions but the one of this call; with `current=true` that one, too. Their access tokens are refused from then on.
#[utoipa::path(
    delete, path = "/api/v1/identity/sessions", tag = "identity", security(("bearer" = [])),
    params(EndQuery),
    responses((status = 204, description = "They have ended"), Refused<401>, Refused<422>)
)]
async fn end_many(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiQuery(query): ApiQuery<EndQuery>,
) -> Result<StatusCode, Problem> {
    let others = Which::Others(SessionId::from(caller.claims.sid));
    let which = if query.current == Some(true) { Which::All } else { others };
    state.sessions.end_many(&caller, which).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sign out in one place
///
/// Its access tokens are refused from then on. A session that has ended already is ended again without a change.
#[utoipa::path(
    delete, path = "/api/v1/identity/sessions/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "It has ended"), Refused<401>, Refused<404>)
)]
async fn end(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, Problem> {
    state.sessions.end(&caller, SessionId::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
