//! A refusal as the provider writes it: `{"status":false,"message":"…"}`, HTTP 400 unless it says otherwise.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl AsRef<str>) -> Self {
        Self { status, body: json!({ "status": false, "message": message.as_ref() }) }
    }

    /// The provider's answer to nearly everything it does not like.
    pub(crate) fn bad(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// A refused payout, which still names the transfer it made.
    pub(crate) fn failed_transfer(transfer: &Value) -> Self {
        let body = json!({ "status": false, "message": "Transaction failed.", "transfer": transfer });
        Self { status: StatusCode::BAD_REQUEST, body }
    }

    /// As the key management service writes it: `{"errors":["…"]}`.
    pub(crate) fn of_kms(status: StatusCode, message: &str) -> Self {
        Self { status, body: json!({ "errors": [message] }) }
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized. Invalid or missing API key.")
    }

    pub(crate) fn unavailable() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable. Please try again later.")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
