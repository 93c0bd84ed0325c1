//! `/api/v1/admin/audit-logs`: the log, for compliance officers and admins.

use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use common_auth::{Staff, permissions::ReadAuditLog};
use common_utils::http::{
    ApiQuery, FieldErrors, Problem, Refused, Routes,
    paging::{self, Limit, Page},
    routes,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{
    chain::{Entry, Reference, time_text},
    repo::{self, Filter},
    verify::{self, Verification},
};
use crate::app::AppState;

const LONGEST_FILTER: usize = 100;

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(list_audit_logs)).routes(routes!(verify_audit_logs))
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AuditReference)]
struct ReferenceView {
    #[serde(rename = "type")]
    #[schema(example = "transaction")]
    kind: String,
    id: String,
}

/// An entry of the audit log. `hash` is the SHA-256, in lower-case hex, of the entry without `hash` as JSON: UTF-8,
/// keys sorted by code point at every level, no space between tokens, only `"`, `\` and characters below U+0020
/// escaped. Python: `json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry)]
struct EntryView {
    /// 1, 2, 3, … without gaps.
    sequence: i64,
    #[schema(format = DateTime, example = "2026-11-01T10:00:00.123456Z")]
    occurred_at: String,
    actor: ReferenceView,
    #[schema(example = "transaction.completed")]
    action: String,
    subject: ReferenceView,
    correlation_id: String,
    /// The event's data without personal data; the fields left out or masked are named in `redacted`.
    #[schema(value_type = Object)]
    details: Map<String, Value>,
    /// The hash of the entry before; 64 zeros in the first.
    previous_hash: String,
    hash: String,
}

impl From<Reference> for ReferenceView {
    fn from(reference: Reference) -> Self {
        Self { kind: reference.kind, id: reference.id }
    }
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        let record = entry.record;
        Self {
            sequence: entry.sequence,
            occurred_at: time_text(record.occurred_at),
            actor: record.actor.into(),
            action: record.action,
            subject: record.subject.into(),
            correlation_id: record.correlation_id,
            details: record.details,
            previous_hash: hex::encode(entry.previous_hash),
            hash: hex::encode(entry.hash),
        }
    }
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// What it is about, as `type:id`.
    #[param(example = "transaction:0198c5b4-0000-7000-8000-000000000000")]
    subject: Option<String>,
    /// Who did it, as `type:id`, the type being `user`, `staff`, `service` or `provider`.
    #[param(example = "user:0198c5b4-0000-7000-8000-000000000000")]
    actor: Option<String>,
    /// The type of the event.
    #[param(example = "transaction.completed")]
    action: Option<String>,
    /// From this moment on.
    from: Option<DateTime<Utc>>,
    /// Before this moment.
    to: Option<DateTime<Utc>>,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

impl AuditQuery {
    fn filter(&self) -> Result<Filter, Problem> {
        let mut errors = FieldErrors::new();
        let mut reference = |field: &str, text: &Option<String>| {
            let text = text.as_deref()?;
            errors.take(field, parse_reference(text))
        };
        let subject = reference("subject", &self.subject);
        let actor = reference("actor", &self.actor);
        if self.action.as_deref().is_some_and(|action| !fits(action)) {
            errors.push("action", "invalid", "must be the type of an event, such as transaction.completed");
        }
        if self.from.zip(self.to).is_some_and(|(from, to)| from > to) {
            errors.push("to", "out_of_range", "must not be before `from`");
        }
        errors.into_result()?;
        Ok(Filter { subject, actor, action: self.action.clone(), from: self.from, to: self.to })
    }
}

fn parse_reference(text: &str) -> Result<Reference, &'static str> {
    text.split_once(':')
        .filter(|(kind, id)| fits(kind) && fits(id))
        .map(|(kind, id)| Reference { kind: kind.to_owned(), id: id.to_owned() })
        .ok_or("must be written as type:id")
}

fn fits(text: &str) -> bool {
    (1..=LONGEST_FILTER).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Lists the entries of the audit log, newest first.
#[utoipa::path(
    get, path = "/api/v1/admin/audit-logs", tag = "audit log", security(("bearer" = [])), params(AuditQuery),
    responses(
        (status = 200, body = Page<EntryView>),
        Refused<401>, Refused<403>, Refused<422>,
    )
)]
async fn list_audit_logs(
    State(state): State<AppState>,
    staff: Staff<ReadAuditLog>,
    ApiQuery(query): ApiQuery<AuditQuery>,
) -> Result<Json<Page<EntryView>>, Problem> {
    let before: Option<i64> = paging::decode(query.cursor.as_deref())?;
    let (filter, limit) = (query.filter()?, Limit::new(query.limit));
    let entries =
        repo::list(&state.pool, &filter, before, limit).await.map_err(common_db::constraint::problem)?;
    tracing::info!(staff = %staff.id, subject = query.subject, actor = query.actor, "read the audit log");
    Ok(Json(Page::from_rows(entries, limit, |entry| entry.sequence).map(Into::into)))
}

/// Recomputes the whole chain, and tells the first entry that is broken. For a long log use the command
/// `admin-service audit verify`: a request has 30 seconds.
#[utoipa::path(
    get, path = "/api/v1/admin/audit-logs/verify", tag = "audit log", security(("bearer" = [])),
    responses(
        (status = 200, body = Verification),
        Refused<401>, Refused<403>,
    )
)]
async fn verify_audit_logs(
    State(state): State<AppState>,
    staff: Staff<ReadAuditLog>,
) -> Result<Json<Verification>, Problem> {
    let result = verify::verify(&state.pool).await.map_err(common_db::constraint::problem)?;
    if result.ok {
        tracing::info!(staff = %staff.id, entries = result.entries, "the audit log is whole");
    } else {
        tracing::error!(staff = %staff.id, broken = ?result.first_broken, "the audit log is DAMAGED");
    }
    Ok(Json(result))
}
