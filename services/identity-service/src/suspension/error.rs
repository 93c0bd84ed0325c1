//! Why an account stays as it is.

use crate::{
    notices::NoticeError,
    sessions::error::SessionError,
    users::{entity::Closed, error::UserError},
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum SuspensionError {
    #[error("its owner has closed the account")]
    Closed,
    #[error(transparent)]
    Notice(#[from] NoticeError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    User(#[from] UserError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<Closed> for SuspensionError {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}
