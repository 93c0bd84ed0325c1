//! A provider that is down: every provider call answers 503 until the control call says otherwise.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{error::Refusal, extract::Body, twin::Twin};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Up,
    Down,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    mode: Mode,
}

/// `POST /twin/faults {"mode":"down"|"up"}`
pub(crate) async fn set(State(twin): State<Arc<Twin>>, Body(change): Body<Change>) -> Json<Value> {
    twin.down.store(change.mode == Mode::Down, Ordering::Relaxed);
    tracing::warn!(mode = mode(&twin), "fault mode set");
    Json(json!({ "mode": mode(&twin) }))
}

pub(crate) fn mode(twin: &Twin) -> &'static str {
    if twin.is_down() { "down" } else { "up" }
}

pub(crate) async fn strike(
    State(twin): State<Arc<Twin>>,
    request: Request,
    next: Next,
) -> Result<Response, Refusal> {
    if twin.is_down() {
        return Err(Refusal::unavailable());
    }
    Ok(next.run(request).await)
}
