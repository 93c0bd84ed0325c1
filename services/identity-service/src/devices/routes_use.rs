//! `/api/v1/identity/devices/{id}/challenge`, `/unlock` and `/step-up`: what bound devices are for.

use axum::{Json, extract::State};
use common_auth::{
    Anybody, CurrentUser,
    permissions::{ProvedByContent, SignsIn},
};
use common_utils::http::{ApiJson, ApiPath, Problem, ProblemBody, Refused, Routes, routes};
use uuid::Uuid;

use super::{
    entity::DeviceId,
    routes::{DeviceChallenge, DeviceSignatureRequest},
};
use crate::{
    app::AppState,
    auth::routes::SignedInAnswer,
    sessions::{Origin, routes::AccessTokenAnswer},
};

pub(crate) fn router() -> Routes<AppState> {
    Routes::new()
        .routes(routes!(start_unlocking))
        .routes(routes!(unlock))
        .routes(routes!(start_stepping_up))
        .routes(routes!(step_up))
}

/// Begin signing in with a bound device
///
/// Every id gets a challenge, whether there is such a device or not.
#[utoipa::path(
    post, path = "/api/v1/identity/devices/{id}/challenge", tag = "identity",
    params(("id" = Uuid, Path, description = "The device")),
    responses((status = 200, body = DeviceChallenge), Refused<404>)
)]
async fn start_unlocking(
    State(state): State<AppState>,
    _: Anybody<SignsIn>,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<DeviceChallenge>, Problem> {
    Ok(Json(state.devices.start_unlocking(DeviceId::from(id)).await?.into()))
}

/// Sign in with a bound device
///
/// With a signature over the challenge's message (`purpose:unlock`). The phone has asked its owner for a finger, a face or its code, so
/// the session is proved by two factors (`acr` is `aal2`), and ends with the device.
#[utoipa::path(
    post, path = "/api/v1/identity/devices/{id}/unlock", tag = "identity",
    params(("id" = Uuid, Path, description = "The device")),
    request_body = DeviceSignatureRequest,
    responses(
        (status = 200, body = SignedInAnswer),
        Refused<400>,
        (status = 401, description = "`device_rejected`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>, Refused<415>,
        (status = 422, description = "`challenge_expired` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn unlock(
    State(state): State<AppState>,
    _: Anybody<ProvedByContent>,
    origin: Origin,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<DeviceSignatureRequest>,
) -> Result<Json<SignedInAnswer>, Problem> {
    let signature = request.signature()?;
    let challenge = request.challenge_id.into();
    Ok(Json(state.devices.unlock(DeviceId::from(id), challenge, &signature, &origin).await?.into()))
}

/// Begin proving anew who one is, with a bound device
#[utoipa::path(
    post, path = "/api/v1/identity/devices/{id}/step-up/start", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The device")),
    responses((status = 200, body = DeviceChallenge), Refused<401>, Refused<404>)
)]
async fn start_stepping_up(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<Json<DeviceChallenge>, Problem> {
    Ok(Json(state.devices.start_stepping_up(&caller, DeviceId::from(id)).await?.into()))
}

/// Prove anew who one is, with a bound device
///
/// In the session that began it, with a signature over the challenge's message (`purpose:step_up`). The answer has an access token
/// that says so; a call that was refused with `step_up_required` is repeated with it.
#[utoipa::path(
    post, path = "/api/v1/identity/devices/{id}/step-up/finish", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The device")),
    request_body = DeviceSignatureRequest,
    responses(
        (status = 200, body = AccessTokenAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>, Refused<415>,
        (status = 422, description = "`challenge_expired`, `device_rejected` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn step_up(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<DeviceSignatureRequest>,
) -> Result<Json<AccessTokenAnswer>, Problem> {
    let signature = request.signature()?;
    let challenge = request.challenge_id.into();
    let access = state.devices.step_up(&caller, DeviceId::from(id), challenge, &signature).await?;
    Ok(Json(access.into()))
}
