//! `/api/v1/identity/refresh` and `/logout`.

use axum::{Json, extract::State, http::StatusCode};
use common_auth::{Anybody, LeavingUser, permissions::ProvedByContent};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::{AccessToken, IssuedTokens, Origin, error::SessionError, token::RefreshToken};
use crate::app::AppState;

/// An access token for the calls, and a refresh token for the next access token.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Tokens)]
pub(crate) struct TokensBody {
    #[schema(example = "Bearer")]
    token_type: &'static str,
    access_token: String,
    /// Good for one refresh; each refresh gives a new one.
    #[schema(example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    refresh_token: String,
    /// Seconds until the access token expires.
    #[schema(example = 900)]
    expires_in: i64,
}

impl From<IssuedTokens> for TokensBody {
    fn from(tokens: IssuedTokens) -> Self {
        Self {
            token_type: "Bearer",
            access_token: tokens.access.token,
            refresh_token: tokens.refresh.encode(),
            expires_in: tokens.access.expires_in,
        }
    }
}

/// Another access token of the same session, whose refresh token stays the one that it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AccessToken)]
pub(crate) struct AccessTokenBody {
    #[schema(example = "Bearer")]
    token_type: &'static str,
    access_token: String,
    /// Seconds until it expires.
    #[schema(example = 900)]
    expires_in: i64,
}

impl From<AccessToken> for AccessTokenBody {
    fn from(access: AccessToken) -> Self {
        Self { token_type: "Bearer", access_token: access.token, expires_in: access.expires_in }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccessTokenAnswer {
    tokens: AccessTokenBody,
}

impl From<AccessToken> for AccessTokenAnswer {
    fn from(access: AccessToken) -> Self {
        Self { tokens: access.into() }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TokensAnswer {
    tokens: TokensBody,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefreshRequest {
    #[schema(value_type = String, example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    refresh_token: SecretString,
}

impl RefreshRequest {
    fn token(&self) -> Option<RefreshToken> {
        RefreshToken::parse(self.refresh_token.expose_secret())
    }
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(refresh)).routes(routes!(log_out))
}

/// Get a new access token
///
/// The refresh token is used up and a new one comes with the answer. When the answer was lost, the same call within
/// 10 seconds gets the same refresh token again. A token that was used before ends the session.
#[utoipa::path(
    post, path = "/api/v1/identity/refresh", tag = "identity",
    request_body = RefreshRequest,
    responses(
        (status = 200, body = TokensAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>, Refused<422>,
    )
)]
async fn refresh(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiJson(request): ApiJson<RefreshRequest>,
) -> Result<Json<TokensAnswer>, Problem> {
    let token = request.token().ok_or(SessionError::Invalid)?;
    let tokens = state.sessions.refresh(&token, &origin).await?;
    Ok(Json(TokensAnswer { tokens: tokens.into() }))
}

/// Sign out
///
/// Ends the session of the access token, and that of the refresh token if it is one's own. Their access tokens are refused from
/// then on.
#[utoipa::path(
    post, path = "/api/v1/identity/logout", tag = "identity", security(("bearer" = [])),
    request_body = RefreshRequest,
    responses(
        (status = 204, description = "The session has ended"),
        Refused<400>, Refused<401>, Refused<415>, Refused<422>,
    )
)]
async fn log_out(
    State(state): State<AppState>,
    LeavingUser(caller): LeavingUser,
    ApiJson(request): ApiJson<RefreshRequest>,
) -> Result<StatusCode, Problem> {
    state.sessions.log_out(&caller, request.token().as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}
