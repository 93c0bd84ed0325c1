//! `POST /api/v1/wallet/webhooks/{provider}`

use axum::{Json, body::Bytes, extract::State, http::HeaderMap};
use common_auth::{Anybody, permissions::ProvedByContent};
use common_utils::http::{ApiPath, Problem, ProblemBody, Routes, routes};

use crate::app::AppState;

pub(crate) fn routes() -> Routes<AppState> {
    Routes::new().routes(routes!(receive))
}

/// Take in a provider's webhook
///
/// The body is the provider's own and is signed by it; `providus` sends `x-xpresswallet-signature`, the hex
/// HMAC-SHA512 of the raw body. 200 means that it is stored; what it leads to follows. A repeated body is taken once.
#[utoipa::path(
    post,
    path = "/api/v1/wallet/webhooks/{provider}",
    tag = "webhooks",
    params(("provider" = String, Path, description = "The name of the provider", example = "providus")),
    request_body(content = serde_json::Value, description = "In the provider's own shape"),
    responses(
        (status = 200, description = "Stored; the answer is in the provider's own shape", body = serde_json::Value),
        (status = 401, description = "`invalid_signature`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such provider", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "More than 1 MiB", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn receive(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    ApiPath(provider): ApiPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<serde_json::Value>, Problem> {
    super::receive(&state, &provider, &headers, &body).await.map(Json)
}
