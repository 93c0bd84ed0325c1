//! The keys by which everybody can check our access tokens.

use axum::{Json, extract::State, http::header};
use common_auth::{Anybody, jwks::JwkSet, permissions::PublicFacts};

use crate::app::AppState;
use common_utils::http::{Routes, routes};

/// A next key is known everywhere after this long, before it signs; verifiers ask sooner when they meet a key they do not know.
const CACHE: &str = "public, max-age=300";

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(well_known)).routes(routes!(behind_the_gateway))
}

type Answer = ([(header::HeaderName, &'static str); 1], Json<JwkSet>);

fn answer(state: &AppState) -> Answer {
    ([(header::CACHE_CONTROL, CACHE)], Json(JwkSet::of(&state.sessions.access.signer.published())))
}

/// Public keys of access tokens
#[utoipa::path(
    get, path = "/.well-known/jwks.json", tag = "keys", responses((status = 200, body = JwkSet))
)]
async fn well_known(State(state): State<AppState>, _: Anybody<PublicFacts>) -> Answer {
    answer(&state)
}

/// Public keys of access tokens, as the gateway routes them
#[utoipa::path(
    get, path = "/api/v1/identity/.well-known/jwks.json", tag = "keys", responses((status = 200, body = JwkSet))
)]
async fn behind_the_gateway(State(state): State<AppState>, _: Anybody<PublicFacts>) -> Answer {
    answer(&state)
}
