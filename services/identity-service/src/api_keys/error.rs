//! Why a key is not made, changed or taken.

use common_db::{constraint, idempotency};
use common_utils::http::Problem;

use super::entity::MOST_KEYS;
use crate::{
    notices::NoticeError, passwords::proof::ProofError, sessions::error::inactive, users::error::UserError,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiKeyError {
    #[error("there is no such key in force")]
    NotFound,
    #[error("there are as many keys as there may be")]
    TooMany,
    #[error("the account is not active")]
    Inactive,
    #[error("the idempotency key was used for something else")]
    KeyReused,
    #[error("what a key is to be cannot be written as JSON: {0}")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Proof(#[from] ProofError),
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<ApiKeyError> for Problem {
    fn from(error: ApiKeyError) -> Self {
        match error {
            ApiKeyError::NotFound => Self::not_found("API key"),
            ApiKeyError::TooMany => Self::unprocessable(
                "limit_exceeded",
                format!("You have {MOST_KEYS} API keys. Revoke one that is not used any more."),
            ),
            ApiKeyError::Inactive => inactive(),
            ApiKeyError::KeyReused => idempotency::reused(),
            ApiKeyError::Encoding(_) => Self::internal(error),
            ApiKeyError::Proof(error) => error.into(),
            ApiKeyError::Notice(error) => error.into(),
            ApiKeyError::User(error) => error.into(),
            ApiKeyError::Database(error) => constraint::problem(error),
        }
    }
}

/// Why a key gives no token. A stranger is told the same of a key that is unknown, wrong, revoked or expired.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("only client_credentials gives a token here")]
    UnsupportedGrant,
    #[error("the client's id or secret is not right, or not in force")]
    InvalidClient,
    #[error("the account of the key's owner is not active")]
    Inactive,
    #[error("the key does not have all of these scopes")]
    InvalidScope,
    #[error("a token could not be signed: {0:#}")]
    Signing(anyhow::Error),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}
