//! `/api/v1/identity/kyc/reviews`: for reviewers.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use common_auth::{Staff, permissions::ReviewKyc};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, Problem, ProblemBody, Refused, Routes,
    paging::{self, Limit, Page},
    routes,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use super::{
    Decision,
    repo::Filter,
    view::{QueuedView, ReviewedCase},
};
use crate::{
    app::AppState,
    kyc::{
        cases::{
            entity::{CaseId, Reason, Status},
            view::CaseView,
        },
        evidence::EvidenceKind,
    },
};

const LONGEST_NOTE: usize = 2000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Desc,
    Asc,
}

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct QueueQuery {
    /// `in_review` unless it is given.
    status: Option<Status>,
    #[validate(range(min = 1, max = 3, message = "must be between 1 and 3"))]
    #[param(minimum = 1, maximum = 3)]
    tier: Option<i16>,
    /// `asc`: the oldest first.
    #[serde(default)]
    #[param(inline, required = false, default = "desc")]
    order: Order,
    /// How many items at the most.
    #[validate(range(min = 1, max = 100, message = "must be between 1 and 100"))]
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<u16>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A note is for other reviewers; the person never sees it.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KycApproval)]
struct ApproveRequest {
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<SecretString>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KycRejection)]
struct RejectRequest {
    reason: Reason,
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<SecretString>,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = KycRequestForMore)]
struct AskRequest {
    reason: Reason,
    /// Documents that the tier takes.
    #[validate(length(min = 1, max = 4, message = "must name 1 to 4 kinds"))]
    #[schema(min_items = 1, max_items = 4)]
    evidence: Vec<EvidenceKind>,
    #[schema(value_type = Option<String>, max_length = 2000)]
    note: Option<SecretString>,
}

fn fitting(note: Option<SecretString>) -> Result<Option<SecretString>, Problem> {
    let fits = |note: &SecretString| {
        let text = note.expose_secret();
        let printable = !text.chars().any(|letter| letter.is_control() && letter != '\n');
        printable && (1..=LONGEST_NOTE).contains(&text.chars().count())
    };
    if note.as_ref().is_none_or(fits) {
        return Ok(note);
    }
    let message = format!("must have 1 to {LONGEST_NOTE} characters, none of them a control character");
    Err(Problem::invalid_field("note", "length", message))
}

/// The other reasons are what the rules say, or say yes.
fn to_reject(reason: Reason) -> Result<Reason, Problem> {
    let fits = matches!(
        reason,
        Reason::IdentityMismatch
            | Reason::DocumentMismatch
            | Reason::NamesChanged
            | Reason::NumberTaken
            | Reason::DocumentUnreadable
            | Reason::DocumentOutdated
            | Reason::SuspectedFraud
            | Reason::Other
    );
    if fits {
        Ok(reason)
    } else {
        Err(Problem::invalid_field("reason", "out_of_range", "is no reason to reject"))
    }
}

fn to_ask(reason: Reason) -> Result<Reason, Problem> {
    let fits = matches!(
        reason,
        Reason::EvidenceMissing
            | Reason::DocumentMismatch
            | Reason::DocumentUnreadable
            | Reason::DocumentOutdated
            | Reason::Other
    );
    if fits {
        Ok(reason)
    } else {
        Err(Problem::invalid_field("reason", "out_of_range", "is no reason to ask for more"))
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(queue))
        .routes(routes!(review))
        .routes(routes!(document))
        .routes(routes!(approve))
        .routes(routes!(reject))
        .routes(routes!(ask_for_more))
}

/// Cases for reviewers
///
/// Without anything by which a person is known; looking at a case is kept and told.
#[utoipa::path(
    get, path = "/api/v1/identity/kyc/reviews", tag = "kyc reviews", security(("bearer" = [])), params(QueueQuery),
    responses((status = 200, body = Page<QueuedView>), Refused<401>, Refused<403>, Refused<422>, Refused<503>)
)]
async fn queue(
    State(state): State<AppState>,
    _reviewer: Staff<ReviewKyc>,
    ApiQuery(query): ApiQuery<QueueQuery>,
) -> Result<Json<Page<QueuedView>>, Problem> {
    let after: Option<Uuid> = paging::decode(query.cursor.as_deref())?;
    let status = query.status.unwrap_or(Status::InReview);
    let filter = Filter { status, tier: query.tier, oldest_first: query.order == Order::Asc };
    let page = state.cases.queue(filter, after, Limit::new(query.limit)).await?;
    Ok(Json(page.map(QueuedView::from)))
}

/// A case with what the person told and what was found
///
/// Publishes `identity.kyc.evidence_viewed`.
#[utoipa::path(
    get, path = "/api/v1/identity/kyc/reviews/{id}", tag = "kyc reviews", security(("bearer" = [])),
    params(("id" = Uuid, Path)),
    responses(
        (status = 200, body = ReviewedCase),
        Refused<401>,
        (status = 403, description = "No reviewer, or one's own case", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>, Refused<503>,
    )
)]
async fn review(
    State(state): State<AppState>,
    reviewer: Staff<ReviewKyc>,
    ApiPath(id): ApiPath<CaseId>,
) -> Result<Response, Problem> {
    let review = state.cases.review(reviewer.id, id).await?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(review)).into_response())
}

/// What is in a document
///
/// As a download. Publishes `identity.kyc.evidence_viewed`.
#[utoipa::path(
    get, path = "/api/v1/identity/kyc/reviews/{id}/documents/{documentId}", tag = "kyc reviews", security(("bearer" = [])),
    params(("id" = Uuid, Path), ("documentId" = Uuid, Path)),
    responses(
        (status = 200, content((Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "application/pdf"))),
        Refused<401>,
        (status = 403, description = "No reviewer, or one's own case", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>, Refused<503>,
    )
)]
async fn document(
    State(state): State<AppState>,
    reviewer: Staff<ReviewKyc>,
    ApiPath((id, document)): ApiPath<(CaseId, Uuid)>,
) -> Result<Response, Problem> {
    let (document, content) = state.cases.look_at_document(reviewer.id, id, document).await?;
    let name = format!("attachment; filename=\"{}.{}\"", document.id, document.content_type.extension());
    // A browser neither guesses a type nor runs anything of a stranger's file here, and keeps no copy.
    let headers = [
        (header::CONTENT_TYPE, document.content_type.name().to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'".to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((StatusCode::OK, headers, content.to_vec()).into_response())
}

/// Approve a case
///
/// Where the tier needs two reviewers, the case waits for another one after the first.
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/reviews/{id}/approve", tag = "kyc reviews", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = ApproveRequest,
    responses(
        (status = 200, body = CaseView),
        Refused<400>, Refused<401>,
        (status = 403, description = "No reviewer, one's own case, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>,
        (status = 409, description = "`case_status`: it is not with the reviewers; `second_reviewer_required`; `number_taken`; the names changed", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>, Refused<503>,
    )
)]
async fn approve(
    State(state): State<AppState>,
    reviewer: Staff<ReviewKyc>,
    ApiPath(id): ApiPath<CaseId>,
    ApiJson(request): ApiJson<ApproveRequest>,
) -> Result<Json<CaseView>, Problem> {
    Ok(Json(state.cases.decide(reviewer.id, id, Decision::Approve, fitting(request.note)?).await?))
}

/// Reject a case
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/reviews/{id}/reject", tag = "kyc reviews", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = RejectRequest,
    responses(
        (status = 200, body = CaseView),
        Refused<400>, Refused<401>, Refused<403>, Refused<404>,
        (status = 409, description = "`case_status`: it is not with the reviewers", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>, Refused<503>,
    )
)]
async fn reject(
    State(state): State<AppState>,
    reviewer: Staff<ReviewKyc>,
    ApiPath(id): ApiPath<CaseId>,
    ApiJson(request): ApiJson<RejectRequest>,
) -> Result<Json<CaseView>, Problem> {
    let decision = Decision::Reject(to_reject(request.reason)?);
    Ok(Json(state.cases.decide(reviewer.id, id, decision, fitting(request.note)?).await?))
}

/// Ask the person for more
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/reviews/{id}/ask-for-more", tag = "kyc reviews", security(("bearer" = [])),
    params(("id" = Uuid, Path)), request_body = AskRequest,
    responses(
        (status = 200, body = CaseView),
        Refused<400>, Refused<401>, Refused<403>, Refused<404>,
        (status = 409, description = "`case_status`: it is not with the reviewers", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>, Refused<503>,
    )
)]
async fn ask_for_more(
    State(state): State<AppState>,
    reviewer: Staff<ReviewKyc>,
    ApiPath(id): ApiPath<CaseId>,
    ApiJson(request): ApiJson<AskRequest>,
) -> Result<Json<CaseView>, Problem> {
    let mut evidence = request.evidence;
    evidence.sort_unstable();
    evidence.dedup();
    let decision = Decision::AskForMore(to_ask(request.reason)?, evidence);
    Ok(Json(state.cases.decide(reviewer.id, id, decision, fitting(request.note)?).await?))
}
