//! A creating call that may be repeated: with an `Idempotency-Key`, the second one gets the answer of the first.
//!
//! Steps: ask whether the key is known, before anything else is looked at, so that a repeated call is answered even
//! while other services are away; do what is to be done; claim the key in the transaction that does the work, and
//! save the answer in it. A call that is refused leaves its key unused.

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use common_db::{
    Op, PgPool,
    idempotency::{self, Claim, IdempotencyKey, RequestHash, SavedResponse},
};
use common_utils::{http::Problem, ids::UserId};
use serde::Serialize;

/// A call with a key.
#[derive(Debug)]
pub(crate) struct KeyedCall {
    caller: String,
    key: IdempotencyKey,
    hash: RequestHash,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
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
            KeyError::Reused => idempotency::reused(),
            KeyError::InProgress => idempotency::in_progress(),
            KeyError::Database(error) => common_db::constraint::problem(error),
        }
    }
}

impl KeyedCall {
    /// None when the call has no key.
    pub(crate) fn read<T: Serialize>(
        headers: &HeaderMap,
        caller: UserId,
        operation: &str,
        content: &T,
    ) -> Result<Option<Self>, Problem> {
        let Some(key) = IdempotencyKey::optional(headers)? else { return Ok(None) };
        let hash = RequestHash::of(operation, content).map_err(Problem::internal)?;
        Ok(Some(Self { caller: caller.to_string(), key, hash }))
    }

    /// The answer of the first call, if there was one.
    pub(crate) async fn answered(
        &self,
        pool: &PgPool,
        now: DateTime<Utc>,
    ) -> Result<Option<SavedResponse>, KeyError> {
        // Not committed: a key that is new stays new.
        let mut op = common_db::begin(pool).await?;
        self.claim_in_op(&mut op, now).await
    }

    /// Claims the key; the answer of the first call, if there was one.
    pub(crate) async fn claim_in_op(
        &self,
        op: &mut Op,
        now: DateTime<Utc>,
    ) -> Result<Option<SavedResponse>, KeyError> {
        match idempotency::claim_in_op(op, &self.caller, &self.key, &self.hash, None, now).await? {
            Claim::Fresh => Ok(None),
            Claim::Known(known) => known.response.map(Some).ok_or(KeyError::InProgress),
            Claim::Mismatch => Err(KeyError::Reused),
        }
    }

    pub(crate) async fn save_in_op(&self, op: &mut Op, response: &SavedResponse) -> Result<(), KeyError> {
        idempotency::save_response_in_op(op, &self.caller, &self.key, response).await?;
        Ok(())
    }
}
