//! Issuing one account number.

use common_db::PgPool;
use common_events::{Actor, EventContext, NewEvent, outbox};
use common_utils::clock::SharedClock;

use super::{entity::Wanted, error::IssueError, events, identity::Identity, repo};
use crate::{
    SERVICE_NAME,
    providers::{IssuedAccount, ProviderError, Providers},
};

/// The account of this person at the provider, made now or by an earlier call whose answer was lost.
pub(super) async fn at_provider(
    identity: &Identity,
    providers: &Providers,
    wanted: &Wanted,
) -> Result<IssuedAccount, IssueError> {
    let provider =
        providers.get(&wanted.provider).ok_or_else(|| IssueError::NoProvider(wanted.provider.clone()))?;
    let person = identity.person(wanted.user_id).await?;
    match provider.issue_account(&person).await {
        Err(ProviderError::AlreadyExists) => {
            provider.find_account(&person).await?.ok_or(IssueError::NotFound)
        }
        answer => Ok(answer?),
    }
}

/// Writes customer, number and event; false when another worker has done so.
pub(super) async fn write(
    pool: &PgPool,
    clock: &SharedClock,
    wanted: &Wanted,
    account: &IssuedAccount,
) -> Result<bool, IssueError> {
    let now = clock.now();
    let mut op = common_db::begin(pool).await?;
    let customer = repo::know_customer_in_op(&mut op, wanted, &account.customer_id, now).await?;
    if customer != account.customer_id {
        return Err(IssueError::OfAnother);
    }
    if !repo::activate_in_op(&mut op, wanted, account, now).await? {
        return Ok(false);
    }
    let context = EventContext::new(SERVICE_NAME, Actor::provider(&wanted.provider), now);
    let event = NewEvent::new(&context, &events::issued(wanted, account, now))?;
    outbox::publish_in_op(&mut op, &[event]).await?;
    op.commit().await?;
    Ok(true)
}
