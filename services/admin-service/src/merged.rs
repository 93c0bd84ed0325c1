//! The contract of all services in one document. The gateway shows it at `/openapi.json`, where the page at `/docs`
//! looks for it; asked directly, this service shows its own contract there, as every service does.
//!
//! The document is committed and generated from the code of the four services: see `standalone openapi`.

use axum::{Router, http::header, routing::get};

const MERGED: &str = include_str!("../../../gateway/openapi.json");

pub(crate) fn router() -> Router {
    Router::new()
        .route("/openapi/merged.json", get(async || ([(header::CONTENT_TYPE, "application/json")], MERGED)))
}
