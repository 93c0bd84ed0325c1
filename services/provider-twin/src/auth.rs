//! The provider's API key and the KYC provider's key, each a bearer token, compared in constant time.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::{error::Refusal, twin::Twin};

pub(crate) async fn bank_key(
    State(twin): State<Arc<Twin>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    check(request.headers(), &twin.config.api_key)?;
    Ok(next.run(request).await)
}

pub(crate) async fn kyc_key(
    State(twin): State<Arc<Twin>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    check(request.headers(), &twin.config.kyc_api_key)?;
    Ok(next.run(request).await)
}

fn check(headers: &HeaderMap, key: &SecretString) -> Result<(), Refusal> {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(Refusal::unauthorized)?;
    let same = token.as_bytes().ct_eq(key.expose_secret().as_bytes());
    if bool::from(same) { Ok(()) } else { Err(Refusal::unauthorized()) }
}
