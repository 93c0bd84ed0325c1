//! `/api/v1/identity/devices`: binding devices, and which ones are.

use axum::{Json, extract::State, http::StatusCode};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use common_auth::{
    CurrentUser, StepUp,
    step_up::{BesidePassword, Finishing},
};
use common_utils::http::{
    ApiJson, ApiPath, ApiQuery, Problem, ProblemBody, Refused, Routes,
    paging::{Page, PageQuery},
    routes,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use validator::Validate;

use super::{
    Bound, NewDevice,
    entity::{Challenge, DeviceId},
    key::{InvalidKey, Jwk, PublicKey},
    repo::Listed,
};
use crate::{
    app::AppState, key_name::KeyName, passwords::routes::current_password, sessions::routes::AccessTokenBody,
};

/// A device that is bound to one's account.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device)]
pub(crate) struct DeviceBody {
    id: Uuid,
    #[schema(example = "Ada's phone")]
    name: String,
    /// `android`, `ios` or `other`.
    #[schema(example = "android")]
    platform: String,
    activated_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<Listed> for DeviceBody {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            name: listed.name,
            platform: listed.platform,
            activated_at: listed.activated_at,
            last_used_at: listed.last_used_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BoundAnswer {
    device: DeviceBody,
    tokens: AccessTokenBody,
}

impl From<Bound> for BoundAnswer {
    fn from(bound: Bound) -> Self {
        Self { device: bound.device.into(), tokens: bound.access.into() }
    }
}

/// What a device is asked to sign.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceChallenge {
    /// Good for one signature.
    challenge_id: Uuid,
    device_id: Uuid,
    /// The text whose UTF-8 bytes are signed: ECDSA over P-256 with SHA-256, or Ed25519. An app looks at its first two lines before it signs.
    #[schema(
        example = "wallet-platform/device/v1\npurpose:unlock\ndevice:01975b6e-6b8e-7c3e-9d4e-1f2a3b4c5d6e\nchallenge:5Rr0mGZ0J6l1Y0yTQbqk0m2c6cXWl0S1m8pYw3oJ4hQ\nexpires:1764000300"
    )]
    message: String,
    expires_at: DateTime<Utc>,
}

impl From<Challenge> for DeviceChallenge {
    fn from(challenge: Challenge) -> Self {
        Self {
            message: challenge.message(),
            challenge_id: challenge.id.uuid(),
            device_id: challenge.device.uuid(),
            expires_at: challenge.expires_at,
        }
    }
}

/// A public key in one of its two forms.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum DeviceKeyBody {
    Jwk(Jwk),
    /// SubjectPublicKeyInfo (DER) in base64, as Android's `PublicKey.getEncoded()` gives it.
    Spki(String),
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BindDeviceRequest {
    /// P-256 or Ed25519.
    public_key: DeviceKeyBody,
    /// What its owner calls it.
    #[schema(example = "Ada's phone", min_length = 1, max_length = 100)]
    name: String,
    /// `android`, `ios` or `other`.
    #[schema(example = "android")]
    platform: String,
    /// Asked of who has no second factor.
    #[schema(value_type = Option<String>, format = Password, example = "correct horse battery staple", max_length = 1024)]
    current_password: Option<SecretString>,
}

impl BindDeviceRequest {
    fn parse(self) -> Result<(NewDevice, Option<SecretString>), Problem> {
        let key = match &self.public_key {
            DeviceKeyBody::Jwk(jwk) => PublicKey::from_jwk(jwk),
            DeviceKeyBody::Spki(text) => PublicKey::from_base64(text),
        };
        let invalid = |error: InvalidKey| Problem::invalid_field("publicKey", "invalid", error.to_string());
        let unknown = |error| Problem::invalid_field("platform", "invalid", format!("{error}"));
        let (key, name) = (key.map_err(invalid)?, key_name(&self.name)?);
        let new = NewDevice { key, name, platform: self.platform.parse().map_err(unknown)? };
        Ok((new, self.current_password.map(current_password).transpose()?))
    }
}

/// What the device's key has signed.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DeviceSignatureRequest {
    pub(super) challenge_id: Uuid,
    /// In base64. Over P-256 as ASN.1 (what phones give) or as two numbers of 32 bytes (what browsers give).
    #[schema(max_length = 200)]
    signature: String,
}

impl DeviceSignatureRequest {
    pub(super) fn signature(&self) -> Result<Vec<u8>, Problem> {
        let signature = STANDARD.decode(&self.signature);
        signature.map_err(|_| Problem::invalid_field("signature", "invalid", "must be base64"))
    }
}

#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RenameDeviceRequest {
    #[schema(example = "Ada's phone", min_length = 1, max_length = 100)]
    name: String,
}

fn key_name(name: &str) -> Result<KeyName, Problem> {
    name.parse().map_err(|error| Problem::invalid_field("name", "length", format!("{error}")))
}

pub(crate) fn router() -> Routes<AppState> {
    Routes::new().routes(routes!(start_binding, list)).routes(routes!(bind)).routes(routes!(rename, revoke))
}

/// Begin binding a device
///
/// Takes the password, or from who has a second factor a fresh proof by it. The answer is signed with the device's key, and the signature sent to `/devices/confirm`.
#[utoipa::path(
    post, path = "/api/v1/identity/devices", tag = "identity", security(("bearer" = [])),
    request_body = BindDeviceRequest,
    responses(
        (status = 200, body = DeviceChallenge),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required`, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "Among others a missing or wrong password, by the field `currentPassword`", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many passwords were tried", body = ProblemBody, content_type = "application/problem+json"),
        Refused<503>,
    )
)]
async fn start_binding(
    State(state): State<AppState>,
    caller: StepUp<BesidePassword>,
    ApiJson(request): ApiJson<BindDeviceRequest>,
) -> Result<Json<DeviceChallenge>, Problem> {
    let (new, password) = request.parse()?;
    Ok(Json(state.devices.start_binding(&caller.user, new, password).await?.into()))
}

/// Bind a device
///
/// By a signature that proves that it has the key, within five minutes, in the session that began it. The session belongs to the device
/// from then on, which its new access token says. Where an account has one device (`DEVICES_ONE_ACTIVE`), the one before is
/// revoked. The owner is told.
#[utoipa::path(
    post, path = "/api/v1/identity/devices/confirm", tag = "identity", security(("bearer" = [])),
    request_body = DeviceSignatureRequest,
    responses(
        (status = 201, body = BoundAnswer),
        Refused<400>, Refused<401>,
        (status = 403, description = "`step_up_required` from who has got a second factor since it was begun, or the account is not active", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`device_registered` or `too_many_devices`: ten", body = ProblemBody, content_type = "application/problem+json"),
        Refused<415>,
        (status = 422, description = "`challenge_expired`, `device_rejected` or `validation_failed`", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
async fn bind(
    State(state): State<AppState>,
    caller: StepUp<Finishing>,
    ApiJson(request): ApiJson<DeviceSignatureRequest>,
) -> Result<(StatusCode, Json<BoundAnswer>), Problem> {
    let signature = request.signature()?;
    let bound = state.devices.bind(&caller.user, request.challenge_id.into(), &signature).await?;
    Ok((StatusCode::CREATED, Json(bound.into())))
}

/// One's devices
///
/// Newest first.
#[utoipa::path(
    get, path = "/api/v1/identity/devices", tag = "identity", security(("bearer" = [])),
    params(PageQuery),
    responses((status = 200, body = Page<DeviceBody>), Refused<401>, Refused<422>)
)]
async fn list(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<Page<DeviceBody>>, Problem> {
    Ok(Json(state.devices.list(caller.id, &page).await?.map(DeviceBody::from)))
}

/// Rename a device
#[utoipa::path(
    patch, path = "/api/v1/identity/devices/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The device")),
    request_body = RenameDeviceRequest,
    responses(
        (status = 200, body = DeviceBody),
        Refused<400>, Refused<401>, Refused<404>, Refused<415>, Refused<422>,
    )
)]
async fn rename(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
    ApiJson(request): ApiJson<RenameDeviceRequest>,
) -> Result<Json<DeviceBody>, Problem> {
    let name = key_name(&request.name)?;
    Ok(Json(state.devices.rename(caller.id, DeviceId::from(id), &name).await?.into()))
}

/// Revoke a device
///
/// It signs nobody in any more, and the sessions on it end. Anybody may who is signed in: whose phone is gone is not
/// asked for a proof that may be gone with it.
#[utoipa::path(
    delete, path = "/api/v1/identity/devices/{id}", tag = "identity", security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "The device")),
    responses(
        (status = 204, description = "It is revoked"),
        Refused<401>,
        (status = 403, description = "The account is not active", body = ProblemBody, content_type = "application/problem+json"),
        Refused<404>,
    )
)]
async fn revoke(
    State(state): State<AppState>,
    caller: CurrentUser,
    ApiPath(id): ApiPath<Uuid>,
) -> Result<StatusCode, Problem> {
    state.devices.revoke(caller.id, DeviceId::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
