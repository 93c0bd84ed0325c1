//! The contract of all services in one document. The gateway shows it at `/openapi.json`, where the page at `/docs`
//! looks for it; asked directly, this service shows its own contract there, as every service does.
//!
//! The document is committed and generated from the code of the four services: see `standalone openapi`.

use axum::http::header;
use common_auth::{Anybody, permissions::PublicFacts};
use common_utils::http::{Routes, routes};

use crate::app::AppState;

const MERGED: &str = include_str!("../../../gateway/openapi.json");

/// No part of the contract that it shows.
pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(merged_contract))
}

#[utoipa::path(get, path = "/openapi/merged.json", tag = "contract", responses((status = 200, body = serde_json::Value)))]
async fn merged_contract(_: Anybody<PublicFacts>) -> ([(header::HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, "application/json")], MERGED)
}
