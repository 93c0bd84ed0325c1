//! A creating call that may be repeated: with an `Idempotency-Key`, the second one gets the answer of the first; without
//! one, each is a call of its own.
//!
//! Steps: where other services are asked, look first whether the key is known, so that a repeated call is answered
//! even while they are away; claim the key in the transaction that does the work, and save the answer in it. A call
//! whose transaction is not committed leaves its key unused.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use common_utils::{http::Problem, ids::UserId};
use serde::Serialize;
use sqlx::PgPool;

use super::{Claim, IdempotencyKey, RequestHash, SavedResponse, claim_in_op, save_response_in_op};
use crate::{Op, constraint};

#[derive(Debug)]
pub struct RepeatableCall {
    caller: String,
    key: Option<(IdempotencyKey, RequestHash)>,
}

/// Why a repeated call is not answered.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the key was used for something else")]
    Reused,
    #[error("the first request with this key still runs")]
    InProgress,
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Reused => super::reused(),
            KeyError::InProgress => super::in_progress(),
            KeyError::Database(error) => constraint::problem(error),
        }
    }
}

impl RepeatableCall {
    /// A call of `operation` by this person, with its parsed content.
    pub fn read<T: Serialize>(
        headers: &HeaderMap,
        caller: UserId,
        operation: &str,
        content: &T,
    ) -> Result<Self, Problem> {
        let key = IdempotencyKey::optional(headers)?
            .map(|key| Ok((key, RequestHash::of(operation, content)?)))
            .transpose()
            .map_err(|error: serde_json::Error| Problem::internal(error))?;
        Ok(Self { caller: caller.to_string(), key })
    }

    /// The answer of the first call, if there was one.
    pub async fn answered(
        &self,
        pool: &PgPool,
        now: DateTime<Utc>,
    ) -> Result<Option<SavedResponse>, KeyError> {
        if self.key.is_none() {
            return Ok(None);
        }
        // Not committed: a key that is new stays new.
        let mut op = crate::begin(pool).await?;
        self.claim_in_op(&mut op, now).await
    }

    /// Claims the key; the answer of the first call, if there was one.
    pub async fn claim_in_op(
        &self,
        op: &mut Op,
        now: DateTime<Utc>,
    ) -> Result<Option<SavedResponse>, KeyError> {
        let Some((key, hash)) = &self.key else { return Ok(None) };
        match claim_in_op(op, &self.caller, key, hash, None, now).await? {
            Claim::Fresh => Ok(None),
            Claim::Known(known) => known.response.map(Some).ok_or(KeyError::InProgress),
            Claim::Mismatch => Err(KeyError::Reused),
        }
    }

    /// Keeps the answer for those who repeat the call.
    pub async fn save_in_op(&self, op: &mut Op, response: &SavedResponse) -> Result<(), KeyError> {
        if let Some((key, _)) = &self.key {
            save_response_in_op(op, &self.caller, key, response).await?;
        }
        Ok(())
    }
}
