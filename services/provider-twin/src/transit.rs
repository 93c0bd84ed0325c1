//! The key management service: HashiCorp Vault's transit engine, as far as wrapping keys needs it. Every name is a key, whose first version
//! is there from the start.
//!
//! `POST /v1/transit/encrypt/{key}` and `…/decrypt/{key}` with `associated_data`, `GET /v1/transit/keys/{key}`, `POST …/keys/{key}/rotate`. The keys
//! are derived from the token, so that what was wrapped is opened again after a stop; which version is the latest is not kept over one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::{Path, Request, State},
    http::{HeaderValue, StatusCode},
    middleware::Next,
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use common_utils::crypto::{
    keyed_hash,
    sealing::{KeyFile, Sealer},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use crate::{error::Refusal, extract::Body, twin::Twin};

const PURPOSE: &str = "provider-twin/transit/v1";

/// The latest version of each key that was rotated.
#[derive(Debug, Default)]
pub(crate) struct Versions(Mutex<HashMap<String, u32>>);

impl Versions {
    fn latest(&self, key: &str) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or(1)
    }

    fn rotate(&self, key: &str) {
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *versions.entry(key.to_owned()).or_insert(1) += 1;
    }
}

#[derive(Deserialize)]
pub(crate) struct Encrypt {
    plaintext: String,
    #[serde(default)]
    associated_data: String,
}

#[derive(Deserialize)]
pub(crate) struct Decrypt {
    ciphertext: String,
    #[serde(default)]
    associated_data: String,
}

/// The header that the engine wants; without a configured token nobody has one.
pub(crate) async fn token(
    State(twin): State<Arc<Twin>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    let told = request.headers().get("x-vault-token").map(HeaderValue::as_bytes).unwrap_or_default();
    let known = twin.config.kms_token.as_ref().map(|token| token.expose_secret().as_bytes());
    if !known.is_some_and(|known| bool::from(known.ct_eq(told))) {
        return Err(Refusal::of_kms(StatusCode::FORBIDDEN, "permission denied"));
    }
    Ok(next.run(request).await)
}

pub(crate) async fn encrypt(
    State(twin): State<Arc<Twin>>,
    Path(key): Path<String>,
    Body(request): Body<Encrypt>,
) -> Result<Json<Value>, Refusal> {
    let version = twin.transit.latest(&key);
    let (plain, data) = (decoded(&request.plaintext)?, decoded(&request.associated_data)?);
    let sealed = sealer(&twin, &key, version)?.seal(&data, &plain).map_err(|_| failed())?;
    let ciphertext = format!("vault:v{version}:{}", STANDARD.encode(sealed));
    Ok(Json(json!({ "data": { "ciphertext": ciphertext, "key_version": version } })))
}

pub(crate) async fn decrypt(
    State(twin): State<Arc<Twin>>,
    Path(key): Path<String>,
    Body(request): Body<Decrypt>,
) -> Result<Json<Value>, Refusal> {
    let (version, sealed) = request
        .ciphertext
        .strip_prefix("vault:v")
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(version, sealed)| Some((version.parse().ok()?, sealed)))
        .ok_or_else(|| bad("invalid ciphertext: no prefix"))?;
    let opened = sealer(&twin, &key, version)?.open(&decoded(&request.associated_data)?, &decoded(sealed)?);
    let plain = opened.map_err(|_| failed())?;
    Ok(Json(json!({ "data": { "plaintext": STANDARD.encode(plain.as_slice()) } })))
}

pub(crate) async fn describe(State(twin): State<Arc<Twin>>, Path(key): Path<String>) -> Json<Value> {
    let latest = twin.transit.latest(&key);
    Json(json!({ "data": { "name": key, "type": "aes256-gcm96", "latest_version": latest } }))
}

pub(crate) async fn rotate(State(twin): State<Arc<Twin>>, Path(key): Path<String>) -> Json<Value> {
    twin.transit.rotate(&key);
    describe(State(twin), Path(key)).await
}

fn sealer(twin: &Twin, key: &str, version: u32) -> Result<Sealer, Refusal> {
    let token =
        twin.config.kms_token.as_ref().map(|token| token.expose_secret().as_bytes()).unwrap_or_default();
    let master = keyed_hash(token, &[key.as_bytes(), version.to_string().as_bytes()]);
    KeyFile::new(master).and_then(|master| Sealer::new(&master, PURPOSE)).map_err(|_| failed())
}

fn decoded(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).map_err(|_| bad("failed to base64-decode"))
}

fn bad(message: &str) -> Refusal {
    Refusal::of_kms(StatusCode::BAD_REQUEST, message)
}

fn failed() -> Refusal {
    bad("cipher: message authentication failed")
}
