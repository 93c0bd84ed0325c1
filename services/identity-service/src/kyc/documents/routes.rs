//! `/api/v1/identity/kyc/cases/{id}/documents`.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use common_auth::CurrentUser;
use common_db::idempotency::RepeatableCall;
use common_utils::http::{ApiBytes, ApiPath, ApiQuery, Problem, ProblemBody, Refused, Routes, routes};
use serde::Deserialize;
use utoipa::IntoParams;
use validator::Validate;
use zeroize::Zeroizing;

use super::{
    Upload,
    content::{ContentType, LARGEST},
    room::Room,
};
use crate::{
    app::AppState,
    kyc::{
        cases::{entity::CaseId, routes::respond, view::CaseView},
        evidence::EvidenceKind,
    },
};

#[derive(Debug, Deserialize, Validate, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct UploadQuery {
    /// What the document is: `address_document` or `selfie`.
    kind: EvidenceKind,
}

pub(crate) fn router() -> Routes<AppState> {
    // One byte more than is taken: what is too large is told by its field, up to here.
    Routes::new().routes(routes!(upload)).body_limit(LARGEST + 1)
}

/// Upload a document of a case
///
/// The body is the file itself: a JPEG or PNG image or a PDF, up to 10 MiB, which is what its `Content-Type` says. Images have 100 to
/// 12,000 pixels a side; a PDF has no scripts, actions, embedded files or encryption. It is stored encrypted. A case takes ten; the
/// newest of a kind counts, and the same file again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/identity/kyc/cases/{id}/documents", tag = "kyc", security(("bearer" = [])),
    params(
        ("id" = Uuid, Path), UploadQuery,
        ("Idempotency-Key" = Option<String>, Header, description = "The same key answers as the first time."),
    ),
    request_body(content(
        (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "application/pdf"),
    )),
    responses(
        (status = 201, description = "It is there, now or before", body = CaseView),
        Refused<400>, Refused<401>, Refused<403>, Refused<404>,
        (status = 409, description = "`case_status`: the case is with the reviewers or has ended; `too_many_documents`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<413>, Refused<415>, Refused<422>,
        (status = 503, description = "`overloaded`: too many files are on their way; `dependency_unavailable`. Send it again after `Retry-After`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn upload(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<CaseId>,
    ApiQuery(query): ApiQuery<UploadQuery>,
    headers: HeaderMap,
    room: Room,
    ApiBytes(body): ApiBytes,
) -> Result<Response, Problem> {
    let content_type = declared(&headers)?;
    let content = Zeroizing::new(Vec::from(body));
    // The other one is for what is encrypted, until it is stored.
    let upload = Upload { case: id, kind: query.kind, content_type, content, room: room.clone() };
    let known = (id, query.kind, content_type.name(), upload.digest(&state.cases.vault));
    let call = RepeatableCall::read(&headers, caller.id, "kyc.document", &known)?;
    let answer = state.cases.upload(caller.id, upload, &call).await;
    drop(room);
    Ok(respond(answer?))
}

fn declared(headers: &HeaderMap) -> Result<ContentType, Problem> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.and_then(|kind| kind.parse().ok()).ok_or_else(|| {
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "Send the file as `image/jpeg`, `image/png` or `application/pdf`.",
        )
    })
}
