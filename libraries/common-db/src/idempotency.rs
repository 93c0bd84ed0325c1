//! Repeated calls: a caller's `Idempotency-Key` is claimed in the transaction that does the work, together with the
//! answer. The same key and content get that answer again; the same key with other content is an error.
//!
//! Keys belong to their caller and are kept for ever: where money moves, a late retry must never pay twice.

mod batch;
mod repeatable;

use axum::{
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use common_utils::http::Problem;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

pub use batch::{ClaimColumns, NewClaim, answers};
pub use repeatable::{KeyError, RepeatableCall};

use crate::Op;

pub const HEADER: &str = "idempotency-key";
const REPLAYED_HEADER: &str = "idempotent-replayed";

/// A key as the client sent it: bare or quoted, 1–255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of a call, if it has one. Two different keys are refused: whichever were taken, a retry that a proxy
    /// puts together the other way round would be done again.
    pub fn optional(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let invalid = |message| Problem::invalid_field("Idempotency-Key", "invalid", message);
        let mut key: Option<Self> = None;
        for value in headers.get_all(HEADER) {
            let text = value.to_str().unwrap_or_default().trim();
            let bare = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
            if !(1..=255).contains(&bare.len()) || !bare.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
                return Err(invalid("must be 1 to 255 printable ASCII characters"));
            }
            if key.replace(Self(bare.to_owned())).is_some_and(|before| before.0 != bare) {
                return Err(invalid("must be sent once"));
            }
        }
        Ok(key)
    }

    /// The key of a call that moves money and must have one.
    pub fn required(headers: &HeaderMap) -> Result<Self, Problem> {
        Self::optional(headers)?.ok_or_else(|| {
            Problem::bad_request(
                "idempotency_key_required",
                "This call moves money: send an `Idempotency-Key` of your own, and the same one when you try again.",
            )
        })
    }
}

/// The fingerprint of what a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHash(Vec<u8>);

impl RequestHash {
    /// Over the operation's name and its parsed content, so that spaces and the order of fields do not matter.
    pub fn of<T: Serialize>(operation: &str, content: &T) -> serde_json::Result<Self> {
        let mut hasher = Sha256::new();
        hasher.update(operation.as_bytes());
        hasher.update([0]);
        hasher.update(serde_json::to_vec(content)?);
        Ok(Self(hasher.finalize().to_vec()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What became of an attempt to claim a key.
#[derive(Debug, PartialEq)]
pub enum Claim {
    /// The key is new: the work is done in this transaction, or was in this statement.
    Fresh,
    /// The key was used for the same request.
    Known(KnownKey),
    /// The key was used for something else.
    Mismatch,
}

/// What is remembered of a key.
#[derive(Debug, PartialEq)]
pub struct KnownKey {
    pub resource_id: Option<Uuid>,
    pub response: Option<SavedResponse>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SavedResponse {
    pub status: u16,
    pub body: serde_json::Value,
}

/// Claims the key. A concurrent claim of the same key waits here until the first one's transaction ends.
pub async fn claim_in_op(
    op: &mut Op,
    caller: &str,
    key: &IdempotencyKey,
    hash: &RequestHash,
    resource_id: Option<Uuid>,
    now: DateTime<Utc>,
) -> sqlx::Result<Claim> {
    let inserted = sqlx::query!(
        "INSERT INTO idempotency_keys (caller, key, request_hash, resource_id, created_at)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT ON CONSTRAINT idempotency_keys_pkey DO NOTHING",
        caller,
        key.as_str(),
        hash.as_bytes(),
        resource_id,
        now,
    )
    .execute(&mut **op)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(Claim::Fresh);
    }
    let row = remembered(&mut **op, caller, key).await?.ok_or(sqlx::Error::RowNotFound)?;
    Ok(row.held_against(hash))
}

/// What is remembered of a key, without claiming it. None: it was never used.
pub async fn find(
    pool: &PgPool,
    caller: &str,
    key: &IdempotencyKey,
    hash: &RequestHash,
) -> sqlx::Result<Option<Claim>> {
    Ok(remembered(pool, caller, key).await?.map(|row| row.held_against(hash)))
}

async fn remembered(
    executor: impl PgExecutor<'_>,
    caller: &str,
    key: &IdempotencyKey,
) -> sqlx::Result<Option<Remembered>> {
    sqlx::query_as!(
        Remembered,
        "SELECT request_hash, resource_id, response_status, response_body
         FROM idempotency_keys WHERE caller = $1 AND key = $2",
        caller,
        key.as_str(),
    )
    .fetch_optional(executor)
    .await
}

struct Remembered {
    request_hash: Vec<u8>,
    resource_id: Option<Uuid>,
    response_status: Option<i16>,
    response_body: Option<serde_json::Value>,
}

impl Remembered {
    fn held_against(self, hash: &RequestHash) -> Claim {
        if self.request_hash != hash.as_bytes() {
            return Claim::Mismatch;
        }
        let status = self.response_status.and_then(|status| u16::try_from(status).ok());
        let response = status.zip(self.response_body).map(|(status, body)| SavedResponse { status, body });
        Claim::Known(KnownKey { resource_id: self.resource_id, response })
    }
}

/// Keeps the answer with the key, in the transaction that did the work.
pub async fn save_response_in_op(
    op: &mut Op,
    caller: &str,
    key: &IdempotencyKey,
    response: &SavedResponse,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE idempotency_keys SET response_status = $3, response_body = $4 WHERE caller = $1 AND key = $2",
        caller,
        key.as_str(),
        i16::try_from(response.status).unwrap_or(i16::MAX),
        response.body,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Says of an answer that it is the answer of an earlier call.
pub fn replayed(answer: impl IntoResponse) -> Response {
    ([(REPLAYED_HEADER, "true")], answer).into_response()
}

/// The refusal for a key that was used for something else.
pub fn reused() -> Problem {
    Problem::unprocessable(
        "idempotency_key_reused",
        "This Idempotency-Key was used for another request. Take a new key for a new request.",
    )
}

/// The refusal for a key whose first request still runs.
pub fn in_progress() -> Problem {
    Problem::conflict(
        "request_in_progress",
        "The first request with this Idempotency-Key is still running. Ask again in a moment.",
    )
    .retry_after(std::time::Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        headers
    }

    #[test]
    fn quoted_and_bare_keys_are_the_same() {
        let bare = IdempotencyKey::required(&headers("abc")).unwrap();
        assert_eq!(IdempotencyKey::required(&headers("\"abc\"")).unwrap(), bare);
    }

    #[test]
    fn missing_and_misshapen_keys_are_told_apart() {
        assert_eq!(
            IdempotencyKey::required(&HeaderMap::new()).unwrap_err().code(),
            "idempotency_key_required"
        );
        for wrong in ["", "a\tb", "\"\"", &"x".repeat(256)] {
            assert_eq!(IdempotencyKey::required(&headers(wrong)).unwrap_err().code(), "validation_failed");
        }
    }

    #[test]
    fn the_hash_covers_operation_and_content() {
        let hash = |operation, content: &str| RequestHash::of(operation, &content).unwrap();
        assert_eq!(hash("transfer", "a"), hash("transfer", "a"));
        assert_ne!(hash("transfer", "a"), hash("refund", "a"));
        assert_ne!(hash("transfer", "a"), hash("transfer", "b"));
    }

    #[test]
    fn two_different_keys_are_none() {
        let mut headers = headers("abc");
        headers.append(HEADER, "\"abc\"".parse().unwrap());
        assert_eq!(IdempotencyKey::required(&headers).unwrap().as_str(), "abc");
        headers.append(HEADER, "abd".parse().unwrap());
        assert_eq!(IdempotencyKey::required(&headers).unwrap_err().code(), "validation_failed");
        assert_eq!(IdempotencyKey::optional(&headers).unwrap_err().code(), "validation_failed");
    }
}
