//! The contract, served beside the service: `/openapi.json` and a reference page at `/docs`.

mod merge;

use std::sync::Arc;

use axum::{Json, Router, http::StatusCode, response::IntoResponse, routing::get};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        OpenApi, RefOr,
        security::{ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme},
    },
};
use utoipa_swagger_ui::{Config, SwaggerUi};

pub use merge::merge;

use super::ProblemBody;

/// What an API key may be allowed, with what it is for; `common-auth` has them as types.
pub const MACHINE_SCOPES: [(&str, &str); 3] = [
    ("wallets:read", "Wallets with their balances, entries and statements"),
    ("transactions:read", "The list of transactions, and each of them"),
    ("transfers:write", "Sending money from the owner's wallets"),
];
const TOKEN_URL: &str = "/api/v1/identity/oauth/token";

/// Adds what all services have in common to a generated description.
pub fn finish(mut api: OpenApi, title: &str, description: &str) -> OpenApi {
    title.clone_into(&mut api.info.title);
    api.info.description = Some(description.to_owned());
    // What the generator puts there speaks of the generator.
    api.info.license = None;
    api.info.contact = None;
    env!("CARGO_PKG_VERSION").clone_into(&mut api.info.version);
    let components = api.components.get_or_insert_default();
    let bearer =
        SecurityScheme::Http(Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build());
    components.security_schemes.insert("bearer".to_owned(), bearer.into());
    let exchange = ClientCredentials::new(TOKEN_URL, Scopes::from_iter(MACHINE_SCOPES));
    let machine = SecurityScheme::OAuth2(OAuth2::new([Flow::ClientCredentials(exchange)]));
    components.security_schemes.insert("machine".to_owned(), machine.into());
    let mut problem = vec![(ProblemBody::name().into_owned(), ProblemBody::schema())];
    ProblemBody::schemas(&mut problem);
    components.schemas.extend(problem);
    describe_responses(&mut api);
    api
}

/// OpenAPI wants words for every answer; where none are given, the name of its status says enough.
fn describe_responses(api: &mut OpenApi) {
    let operations = api.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete]
            .into_iter()
            .flatten()
    });
    for (status, response) in operations.flat_map(|operation| &mut operation.responses.responses) {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            let known = status.parse().ok().and_then(|status: StatusCode| status.canonical_reason());
            known.unwrap_or("Another answer").clone_into(&mut response.description);
        }
    }
}

/// Routes for the document and its page.
pub fn router(api: OpenApi) -> Router {
    // Handlers are copied; this one has a large thing to say.
    let api = Arc::new(api);
    let answer = move || std::future::ready(Json(&*api).into_response());
    let document = Router::new().route("/openapi.json", get(answer));
    page("/docs", "/openapi.json").merge(document)
}

/// A reference page at `path` that shows the document at `url`.
pub fn page(path: &'static str, url: &'static str) -> Router {
    SwaggerUi::new(path).config(Config::new([url])).into()
}
