//! `/api/v1/identity/passkeys/sign-in`, `/second-factor` and `/step-up`: what passkeys are for.

use axum::{Json, extract::State};
use common_auth::{
    Anybody, CurrentUser,
    permissions::{ProvedByContent, SignsIn},
};
use common_utils::http::{ApiJson, Problem, ProblemBody, Refused, Routes, routes};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;
use webauthn_rs::prelude::{PublicKeyCredential, RequestChallengeResponse};
use webauthn_rs_proto::PublicKeyCredentialRequestOptions;

use super::Begun;
use crate::{
    app::AppState,
    auth::routes::SignedInAnswer,
    crypto::token::SecretToken,
    factors::error::FactorError,
    sessions::{Origin, routes::AccessTokenAnswer},
};

/// What a browser is given to use a passkey.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasskeyQuestion {
    /// Good for five minutes and one answer.
    ceremony_id: Uuid,
    /// For `PublicKeyCredential.parseRequestOptionsFromJSON`, and then `navigator.credentials.get`.
    #[schema(value_type = Object)]
    public_key: PublicKeyCredentialRequestOptions,
}

impl From<Begun<RequestChallengeResponse>> for PasskeyQuestion {
    fn from(begun: Begun<RequestChallengeResponse>) -> Self {
        Self { ceremony_id: begun.ceremony.uuid(), public_key: begun.options.public_key }
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PasskeyUseRequest {
    ceremony_id: Uuid,
    /// What `navigator.credentials.get` gave, by its `toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StartSecondFactorRequest {
    /// As log-in answered it.
    #[schema(value_type = String, example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    challenge_id: SecretString,
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SecondFactorRequest {
    /// As log-in answered it.
    #[schema(value_type = String, example = "5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ")]
    challenge_id: SecretString,
    ceremony_id: Uuid,
    /// What `navigator.credentials.get` gave, by its `toJSON()`.
    #[schema(value_type = Object)]
    credential: PublicKeyCredential,
}

fn token(challenge: &SecretString) -> Result<SecretToken, FactorError> {
    SecretToken::parse(challenge.expose_secret()).ok_or(FactorError::ChallengeExpired)
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(start_signing_in))
        .routes(routes!(sign_in))
        .routes(routes!(start_second_factor))
        .routes(routes!(second_factor))
        .routes(routes!(start_stepping_up))
        .routes(routes!(step_up))
}

/// Begin signing in with a passkey
///
/// The same for everybody: the authenticator says who it is.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/sign-in/start", tag = "identity",
    responses((status = 200, body = PasskeyQuestion))
)]
async fn start_signing_in(
    State(state): State<AppState>,
    _: Anybody<SignsIn>,
) -> Result<Json<PasskeyQuestion>, Problem> {
    Ok(Json(state.passkeys.start_signing_in().await?.into()))
}

/// Sign in with a passkey
///
/// Without a password: whoever uses a passkey has shown the authenticator a finger, a face or a PIN, so the session is proved by
/// two factors (`acr` is `aal2`). Whatever is wrong with the passkey, the refusal is the same.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/sign-in/finish", tag = "identity",
    request_body = PasskeyUseRequest,
    responses(
        (status = 200, body = SignedInAnswer),
        Refused<400>,
        (status = 401, description = "`passkey_rejected`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`ceremony_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn sign_in(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiJson(request): ApiJson<PasskeyUseRequest>,
) -> Result<Json<SignedInAnswer>, Problem> {
    let ceremony = request.ceremony_id.into();
    Ok(Json(state.passkeys.sign_in(ceremony, &request.credential, &origin).await?.into()))
}

/// Begin going on with a log-in, with a passkey
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/second-factor/start", tag = "identity",
    request_body = StartSecondFactorRequest,
    responses(
        (status = 200, body = PasskeyQuestion),
        Refused<400>,
        (status = 409, description = "`no_passkey`", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`challenge_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn start_second_factor(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    ApiJson(request): ApiJson<StartSecondFactorRequest>,
) -> Result<Json<PasskeyQuestion>, Problem> {
    let token = token(&request.challenge_id)?;
    Ok(Json(state.passkeys.start_second_factor(&token).await?.into()))
}

/// Go on with a log-in that asks for a second factor, with a passkey
///
/// While the log-in is in force: five minutes.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/second-factor/finish", tag = "identity",
    request_body = SecondFactorRequest,
    responses(
        (status = 200, body = SignedInAnswer),
        Refused<400>,
        (status = 401, description = "`passkey_rejected`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`challenge_expired`, `ceremony_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn second_factor(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiJson(request): ApiJson<SecondFactorRequest>,
) -> Result<Json<SignedInAnswer>, Problem> {
    let token = token(&request.challenge_id)?;
    let (ceremony, answer) = (request.ceremony_id.into(), &request.credential);
    let signed_in = state.passkeys.sign_in_by_second_factor(&token, ceremony, answer, &origin).await?;
    Ok(Json(signed_in.into()))
}

/// Begin proving anew who one is, with a passkey
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/step-up/start", tag = "identity", security(("bearer" = [])),
    responses(
        (status = 200, body = PasskeyQuestion),
        Refused<401>,
        (status = 409, description = "`no_passkey`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn start_stepping_up(
    State(state): State<AppState>,
    caller: CurrentUser,
) -> Result<Json<PasskeyQuestion>, Problem> {
    Ok(Json(state.passkeys.start_stepping_up(&caller).await?.into()))
}

/// Prove anew who one is, with a passkey
///
/// In the session that began it. The answer has an access token that says so; a call that was refused with `step_up_required` is
/// repeated with it.
#[utoipa::path(
    post, path = "/api/v1/identity/passkeys/step-up/finish", tag = "identity", security(("bearer" = [])),
    request_body = PasskeyUseRequest,
    responses(
        (status = 200, body = AccessTokenAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`ceremony_expired`, `passkey_rejected` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn step_up(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiJson(request): ApiJson<PasskeyUseRequest>,
) -> Result<Json<AccessTokenAnswer>, Problem> {
    let ceremony = request.ceremony_id.into();
    let access = state.passkeys.step_up(&caller, ceremony, &request.credential).await?;
    Ok(Json(access.into()))
}
