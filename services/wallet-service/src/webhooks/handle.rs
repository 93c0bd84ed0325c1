//! Handling one webhook: read it → ask the provider for its own record → compare → credit. No database transaction
//! is open while the provider is asked.

use super::{
    deposit,
    entity::{Claim, Ending, Failure, Obstacle, Received},
    error::HandleError,
    repo,
    worker::Handling,
};
use crate::{
    owners,
    providers::{Provider, ProviderError, WebhookMessage},
};

/// Why there is no ending yet.
#[derive(Debug)]
pub(super) enum Stop {
    /// Ends so, now or after some patience.
    Failure(Failure),
    /// Somebody whom we need did not do their part.
    Error(HandleError),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl<E: Into<HandleError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Money is credited when this answers; any other ending is the caller's to write down.
pub(super) async fn handle(handling: &Handling, webhook: &Received) -> Result<Ending, Stop> {
    let provider = handling.providers.get(&webhook.provider).ok_or(HandleError::NoProvider)?;
    match provider.read_webhook(&webhook.body) {
        Ok(WebhookMessage::Funded { reference, amount, customer_id }) => {
            funded(handling, provider, webhook, Claim { reference, amount, customer_id }).await
        }
        Ok(WebhookMessage::Other { event }) => {
            tracing::info!(webhook = %webhook.id, event, "a webhook that we do not act on");
            Ok(Ending::UnknownEvent)
        }
        Err(error) => {
            tracing::warn!(webhook = %webhook.id, %error, "a webhook that cannot be read");
            Err(Failure::Malformed.into())
        }
    }
}

async fn funded(
    handling: &Handling,
    provider: &Provider,
    webhook: &Received,
    claim: Claim,
) -> Result<Ending, Stop> {
    let record = provider.transaction(&claim.reference).await.map_err(|error| match error {
        ProviderError::Refused(_) => Stop::Failure(Failure::Refused),
        ProviderError::Unexpected(_) => Stop::Failure(Failure::Unexpected),
        other => Stop::Error(HandleError::Provider(other)),
    })?;
    let record = record.ok_or(Failure::UnknownReference)?;
    let account_number = claim.account_number(&record)?;
    let holder = repo::holder(&handling.pool, provider.name(), account_number).await?;
    let holder = holder.ok_or(Failure::UnknownAccount)?;
    let deposit = claim.into_deposit(provider.name(), record, &holder)?;
    let above = owners::is_above_single_deposit(&handling.config.limits, holder.tier, deposit.amount);
    deposit::credit(handling, webhook.id, &deposit, above.then_some(Obstacle::SingleDeposit)).await
}
