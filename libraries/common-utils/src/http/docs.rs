//! The contract, served beside the service: `/openapi.json` and a reference page at `/docs`.

use axum::{Json, Router, routing::get};
use utoipa::openapi::{
    OpenApi,
    security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

/// Adds what all services have in common to a generated description.
pub fn finish(mut api: OpenApi, title: &str, description: &str) -> OpenApi {
    title.clone_into(&mut api.info.title);
    api.info.description = Some(description.to_owned());
    api.info.license = None;
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    let components = api.components.get_or_insert_default();
    let bearer =
        SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    components.security_schemes.insert("bearer".to_owned(), bearer.into());
    api
}

/// Routes for the document and its page.
pub fn router(api: OpenApi) -> Router {
    let document = Router::new().route("/openapi.json", get(async move || Json(api)));
    page("/docs", "/openapi.json").merge(document)
}

/// A reference page at `path` that shows the document at `url`.
pub fn page(path: &'static str, url: &'static str) -> Router {
    SwaggerUi::new(path).config(Config::new([url])).into()
}
