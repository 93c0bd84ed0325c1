//! Transactions: what their parties may see of them. Other features write them.

pub(crate) mod columns;
mod entity;
pub(crate) mod events;
pub(crate) mod repo;
pub(crate) mod routes;
pub(crate) mod row;

use chrono::{DateTime, Utc};
use common_db::{PgPool, constraint};
use common_utils::{
    http::{
        Problem,
        paging::{Limit, Page},
    },
    ids::{TransactionId, UserId, WalletId},
};
use uuid::Uuid;

pub(crate) use entity::{
    Failure, LimitName, OverLimit, Party, Status, Transaction, TransactionType, reference,
};
pub(crate) use repo::Filter;

use crate::directory::{Directory, DirectoryError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum TransactionError {
    #[error("there is no such transaction, or it is somebody else's")]
    NotFound,
    #[error("there is no such wallet, or it is somebody else's")]
    WalletNotFound,
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<TransactionError> for Problem {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::NotFound => Self::not_found("transaction"),
            TransactionError::WalletNotFound => Self::not_found("wallet"),
            TransactionError::Directory(error) => error.into(),
            TransactionError::Database(error) => constraint::problem(error),
        }
    }
}

/// What a list's cursor remembers.
type Position = (DateTime<Utc>, Uuid);

/// The transactions of a person.
#[derive(Debug, Clone)]
pub(crate) struct Transactions {
    pool: PgPool,
    directory: Directory,
}

impl Transactions {
    pub(crate) fn new(pool: PgPool, directory: Directory) -> Self {
        Self { pool, directory }
    }

    /// One transaction, for a party to it.
    pub(crate) async fn get(
        &self,
        viewer: UserId,
        id: TransactionId,
    ) -> Result<Transaction, TransactionError> {
        let found = self.any(id).await?;
        if found.concerns(viewer) { Ok(found) } else { Err(TransactionError::NotFound) }
    }

    /// One transaction, whosever it is; for other services.
    pub(crate) async fn any(&self, id: TransactionId) -> Result<Transaction, TransactionError> {
        repo::find_one(&self.pool, id).await?.ok_or(TransactionError::NotFound)
    }

    /// A page of what concerns one wallet of the viewer, or all of them.
    pub(crate) async fn list(
        &self,
        viewer: UserId,
        wallet: Option<WalletId>,
        filter: &Filter,
        limit: Limit,
    ) -> Result<Page<Transaction>, TransactionError> {
        let wallets = match wallet {
            Some(id) => vec![self.own_wallet(viewer, id).await?],
            None => self.directory.wallets_of(viewer).await?,
        };
        let found = repo::list(&self.pool, &wallets, filter, limit).await?;
        Ok(Page::from_rows(found, limit, |last| -> Position { (last.created_at, last.id.uuid()) }))
    }

    async fn own_wallet(&self, viewer: UserId, id: WalletId) -> Result<WalletId, TransactionError> {
        let wallet = self.directory.wallet(id).await?.filter(|wallet| wallet.user == viewer);
        wallet.map(|wallet| wallet.id).ok_or(TransactionError::WalletNotFound)
    }
}
