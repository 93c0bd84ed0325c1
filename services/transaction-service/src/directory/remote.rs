//! Whom to ask when the directory does not know: identity-service for people, wallet-service for wallets.

use chrono::{DateTime, Utc};
use common_utils::{
    ids::{UserId, WalletId},
    money::Currency,
};
use serde::Deserialize;

use super::Wallet;
use crate::peers::Peer;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemoteUser {
    pub(super) user_id: UserId,
    pub(super) first_name: String,
    pub(super) last_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RemoteWallet {
    wallet_id: WalletId,
    user_id: UserId,
    currency: Currency,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
struct Items {
    items: Vec<RemoteWallet>,
}

impl From<RemoteWallet> for Wallet {
    fn from(wallet: RemoteWallet) -> Self {
        Self {
            id: wallet.wallet_id,
            user: wallet.user_id,
            currency: wallet.currency,
            created_at: wallet.created_at,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Remote {
    pub(crate) identity: Peer,
    pub(crate) wallet: Peer,
}

impl Remote {
    pub(super) async fn user(&self, id: UserId) -> anyhow::Result<Option<RemoteUser>> {
        crate::metrics::fallback("identity");
        self.identity.get(&format!("/internal/v1/users/{id}"), &[]).await
    }

    pub(super) async fn user_by(&self, field: &str, value: &str) -> anyhow::Result<Option<RemoteUser>> {
        crate::metrics::fallback("identity");
        self.identity.get("/internal/v1/users", &[(field, value)]).await
    }

    pub(super) async fn wallet(&self, id: WalletId) -> anyhow::Result<Option<Wallet>> {
        crate::metrics::fallback("wallet");
        let found: Option<RemoteWallet> = self.wallet.get(&format!("/internal/v1/wallets/{id}"), &[]).await?;
        Ok(found.map(Wallet::from))
    }

    /// Oldest first.
    pub(super) async fn wallets(&self, query: &[(&str, &str)]) -> anyhow::Result<Vec<Wallet>> {
        crate::metrics::fallback("wallet");
        let found: Option<Items> = self.wallet.get("/internal/v1/wallets", query).await?;
        Ok(found.map_or_else(Vec::new, |found| found.items.into_iter().map(Wallet::from).collect()))
    }
}
