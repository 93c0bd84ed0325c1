//! The internal contracts of the other services, as far as they are asked here. What they answer is read leniently: a
//! field more is no reason to fail.

use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use common_auth::service_token::{CallTokens, ServiceTokens};
use common_utils::{
    http::Problem,
    http_client::{self, ClientConfig},
    ids::{TransactionId, UserId, WalletId},
};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, IgnoredAny},
};
use utoipa::ToSchema;

use crate::config::ServiceUrls;

/// A service does not answer, or not as its contract says.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(crate) struct Unavailable(anyhow::Error);

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        Self::unavailable(error)
    }
}

/// The three of them.
#[derive(Debug, Clone)]
pub(crate) struct Services(Arc<Remotes>);

#[derive(Debug)]
struct Remotes {
    identity: Remote,
    wallet: Remote,
    transaction: Remote,
}

#[derive(Debug)]
struct Remote {
    name: &'static str,
    base: String,
    client: ClientWithMiddleware,
    tokens: CallTokens,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wallet {
    user_id: UserId,
}

/// Who took part in a transaction.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parties {
    from_user_id: Option<UserId>,
    to_user_id: Option<UserId>,
}

impl Parties {
    pub(crate) fn include(&self, user: UserId) -> bool {
        self.from_user_id == Some(user) || self.to_user_id == Some(user)
    }
}

/// A wallet after a change of its status.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WalletStatus {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) wallet_id: WalletId,
    /// `active`, `frozen` or `closed`.
    #[schema(example = "frozen")]
    pub(crate) status: String,
}

/// Why wallet-service did not freeze or unfreeze.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FreezeError {
    #[error("there is no such wallet")]
    NotFound,
    #[error("the wallet is closed")]
    Closed,
    #[error("the wallet is that of who asks")]
    OwnWallet,
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum FreezeCall {
    Freeze,
    Unfreeze,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FreezeBody<'a> {
    reason: &'a str,
    actor_id: UserId,
}

impl Services {
    pub(crate) fn new(urls: &ServiceUrls, tokens: &ServiceTokens) -> anyhow::Result<Self> {
        let config = ClientConfig { timeout: Duration::from_secs(3), retries: 1, ..ClientConfig::default() };
        let remote = |name, base: &str| {
            let client = http_client::build(crate::SERVICE, name, &config)?;
            anyhow::Ok(Remote { name, base: base.to_owned(), client, tokens: tokens.to(name) })
        };
        Ok(Self(Arc::new(Remotes {
            identity: remote("identity-service", &urls.identity)?,
            wallet: remote("wallet-service", &urls.wallet)?,
            transaction: remote("transaction-service", &urls.transaction)?,
        })))
    }

    pub(crate) async fn user_exists(&self, id: UserId) -> Result<bool, Unavailable> {
        let user: Option<IgnoredAny> = self.0.identity.get(&format!("/internal/v1/users/{id}")).await?;
        Ok(user.is_some())
    }

    /// Whose wallet it is.
    pub(crate) async fn wallet_owner(&self, id: WalletId) -> Result<Option<UserId>, Unavailable> {
        let wallet: Option<Wallet> = self.0.wallet.get(&format!("/internal/v1/wallets/{id}")).await?;
        Ok(wallet.map(|wallet| wallet.user_id))
    }

    pub(crate) async fn parties(&self, id: TransactionId) -> Result<Option<Parties>, Unavailable> {
        self.0.transaction.get(&format!("/internal/v1/transactions/{id}")).await
    }

    pub(crate) async fn change_freeze(
        &self,
        call: FreezeCall,
        wallet: WalletId,
        reason: &str,
        actor_id: UserId,
    ) -> Result<WalletStatus, FreezeError> {
        let verb = match call {
            FreezeCall::Freeze => "freeze",
            FreezeCall::Unfreeze => "unfreeze",
        };
        let remote = &self.0.wallet;
        let url = remote.url(&format!("/internal/v1/wallets/{wallet}/{verb}"))?;
        let body = FreezeBody { reason, actor_id };
        let answer = remote.send(remote.client.post(url).json(&body)).await?;
        match answer.status() {
            StatusCode::NOT_FOUND => Err(FreezeError::NotFound),
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => {
                let refusal: Option<Refusal> = answer.json().await.ok();
                match refusal.map(|refusal| refusal.code).as_deref() {
                    Some("wallet_closed") => Err(FreezeError::Closed),
                    Some("own_wallet") => Err(FreezeError::OwnWallet),
                    code => Err(Unavailable(anyhow::anyhow!("{} refused: {code:?}", remote.name)).into()),
                }
            }
            _ => Ok(remote.read(answer).await?),
        }
    }
}

impl Remote {
    /// None when it says 404.
    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Unavailable> {
        let answer = self.send(self.client.get(self.url(path)?)).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(answer).await.map(Some)
    }

    fn url(&self, path: &str) -> Result<reqwest::Url, Unavailable> {
        http_client::join(&self.base, path).map_err(Unavailable)
    }

    async fn send(&self, request: RequestBuilder) -> Result<reqwest::Response, Unavailable> {
        let token = self.tokens.mint().map_err(Unavailable)?;
        request.bearer_auth(token).send().await.map_err(|error| Unavailable(error.into()))
    }

    async fn read<T: DeserializeOwned>(&self, answer: reqwest::Response) -> Result<T, Unavailable> {
        if !answer.status().is_success() {
            return Err(Unavailable(anyhow::anyhow!("{} answered {}", self.name, answer.status())));
        }
        answer
            .json()
            .await
            .map_err(|error| Unavailable(anyhow::anyhow!("{} broke its contract: {error}", self.name)))
    }
}
