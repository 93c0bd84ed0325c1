//! The directory: whose a wallet is, who can be paid, and how people are shown to each other.
//!
//! It is filled by the events of identity-service and wallet-service, so that a transfer asks nobody. What it does not
//! know (Kafka is down, or the event is still on its way) is asked of the service that does. Of such an answer only
//! what never changes is kept: the owner and the currency of a wallet. Email addresses and phone numbers may pass to
//! somebody else, so they are kept from events alone, which have an order.

mod contact;
mod intake;
mod known;
mod remote;
mod repo;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use common_db::{PgPool, constraint};
use common_utils::{
    contact::{Email, PhoneNumber},
    http::Problem,
    ids::{UserId, WalletId},
    money::Currency,
};

pub(crate) use contact::{ContactHasher, ContactKind};
use known::KnownWallets;
pub(crate) use remote::Remote;

/// How long a transfer waits for a party's name.
const NAME_PATIENCE: Duration = Duration::from_secs(1);

/// What never changes of a wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wallet {
    pub(crate) id: WalletId,
    pub(crate) user: UserId,
    pub(crate) currency: Currency,
    pub(crate) created_at: DateTime<Utc>,
}

/// A wallet, with how its owner is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owned {
    pub(crate) wallet: Wallet,
    pub(crate) owner_name: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// The directory does not know, and who would know does not answer.
    #[error("{0:#}")]
    Unavailable(anyhow::Error),
}

impl From<sqlx::Error> for DirectoryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(Arc::new(error))
    }
}

impl From<Arc<sqlx::Error>> for DirectoryError {
    fn from(error: Arc<sqlx::Error>) -> Self {
        Self::Database(error)
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Database(error) => constraint::problem(error),
            DirectoryError::Unavailable(source) => Self::unavailable(source),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Directory {
    pool: PgPool,
    known: KnownWallets,
    hasher: ContactHasher,
    remote: Remote,
}

impl Directory {
    /// Starts the task that looks wallets up; it ends when the last clone is dropped.
    pub(crate) fn start(pool: PgPool, hasher: ContactHasher, remote: Remote) -> Self {
        Self { known: KnownWallets::start(pool.clone()), pool, hasher, remote }
    }

    /// The wallet, with its owner's name where that is at hand.
    pub(crate) async fn owned_wallet(&self, id: WalletId) -> Result<Option<Owned>, DirectoryError> {
        if let Some(known) = self.known.find(id).await? {
            return Ok(Some(known));
        }
        let found = self.remote.wallet(id).await.map_err(DirectoryError::Unavailable)?;
        self.remember(found.as_slice()).await?;
        Ok(found.map(unnamed))
    }

    pub(crate) async fn wallet(&self, id: WalletId) -> Result<Option<Wallet>, DirectoryError> {
        Ok(self.owned_wallet(id).await?.map(|owned| owned.wallet))
    }

    /// The wallet behind an account number. A number that leads to two wallets leads to none: money must not go to
    /// somebody by chance.
    pub(crate) async fn by_account_number(&self, number: &str) -> Result<Option<Owned>, DirectoryError> {
        let hash = self.hasher.hash(ContactKind::AccountNumber, number);
        let mut known = repo::wallets_of_number(&self.pool, &hash).await?;
        if known.is_empty() {
            let found = self.remote.wallets(&[("accountNumber", number)]).await;
            let found = found.map_err(DirectoryError::Unavailable)?;
            self.remember(&found).await?;
            known = found.into_iter().map(unnamed).collect();
        }
        Ok(if known.len() == 1 { known.pop() } else { None })
    }

    /// The oldest wallet in the currency of who has this email address.
    pub(crate) async fn by_email(
        &self,
        email: &Email,
        currency: Currency,
    ) -> Result<Option<Owned>, DirectoryError> {
        let hash = self.hasher.hash(ContactKind::Email, email.as_str());
        match repo::user_by_email(&self.pool, &hash).await? {
            Some(user) => self.wallet_of(user, currency).await,
            None => self.wallet_of_remote("email", email.as_str(), currency).await,
        }
    }

    /// The oldest wallet in the currency of who has this phone number.
    pub(crate) async fn by_phone(
        &self,
        phone: &PhoneNumber,
        currency: Currency,
    ) -> Result<Option<Owned>, DirectoryError> {
        let hash = self.hasher.hash(ContactKind::Phone, phone.as_str());
        match repo::user_by_phone(&self.pool, &hash).await? {
            Some(user) => self.wallet_of(user, currency).await,
            None => self.wallet_of_remote("phoneNumber", phone.as_str(), currency).await,
        }
    }

    async fn wallet_of_remote(
        &self,
        field: &str,
        value: &str,
        currency: Currency,
    ) -> Result<Option<Owned>, DirectoryError> {
        let user = self.remote.user_by(field, value).await.map_err(DirectoryError::Unavailable)?;
        match user {
            Some(user) => self.wallet_of(user.user_id, currency).await,
            None => Ok(None),
        }
    }

    async fn wallet_of(&self, user: UserId, currency: Currency) -> Result<Option<Owned>, DirectoryError> {
        if let Some(known) = repo::oldest_wallet(&self.pool, user, currency).await? {
            return Ok(Some(known));
        }
        let query = [("userId", &*user.to_string()), ("currency", currency.code())];
        let found = self.remote.wallets(&query).await.map_err(DirectoryError::Unavailable)?;
        self.remember(&found).await?;
        Ok(found.into_iter().next().map(unnamed))
    }

    /// How the owner is shown to the other side. A name is worth neither a refusal nor a long wait: None when nobody
    /// tells.
    pub(crate) async fn name_of(&self, owned: &Owned) -> Option<String> {
        if owned.owner_name.is_some() {
            return owned.owner_name.clone();
        }
        let asked = tokio::time::timeout(NAME_PATIENCE, self.remote.user(owned.wallet.user)).await;
        match asked.unwrap_or_else(|_| Err(anyhow::anyhow!("identity-service takes too long"))) {
            Ok(user) => user.map(|user| display_name(&user.first_name, &user.last_name)),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "a transfer goes without a party's name");
                None
            }
        }
    }

    pub(crate) async fn wallets_of(&self, user: UserId) -> Result<Vec<WalletId>, DirectoryError> {
        Ok(repo::wallets_of(&self.pool, user).await?)
    }

    async fn remember(&self, wallets: &[Wallet]) -> Result<(), DirectoryError> {
        if wallets.is_empty() {
            return Ok(());
        }
        Ok(repo::remember_wallets(&self.pool, wallets).await?)
    }
}

fn unnamed(wallet: Wallet) -> Owned {
    Owned { wallet, owner_name: None }
}

/// `Ada Obi` is shown as `Ada O.`: enough to see that it is the right person, not enough to find them.
fn display_name(first: &str, last: &str) -> String {
    match last.chars().next() {
        Some(initial) => format!("{first} {}.", initial.to_uppercase()),
        None => first.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shortened_to_its_initial() {
        assert_eq!(display_name("Ada", "obi"), "Ada O.");
        assert_eq!(display_name("Adé", "Ọlá"), "Adé Ọ.");
        assert_eq!(display_name("Ada", ""), "Ada");
    }
}
