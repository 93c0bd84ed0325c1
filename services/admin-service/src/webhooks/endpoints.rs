//! What staff do with endpoints. A call that changes one: lock it, let it decide, write it with its event, commit.

use chrono::{DateTime, TimeDelta, Utc};
use common_db::{
    Op,
    idempotency::{RepeatableCall, SavedResponse},
};
use common_events::contracts::{
    EventData, WebhookEndpointCreated, WebhookEndpointDeleted, WebhookEndpointDisabled,
    WebhookEndpointEnabled, WebhookEndpointSecretRotated, WebhookEndpointSnapshot, WebhookEndpointUpdated,
};
use common_utils::ids::{self, UserId};
use uuid::Uuid;

use super::{
    delivery::DeliveryStatus,
    entity::{Change, Endpoint, EndpointChange, NewEndpoint, Status},
    error::WebhookError,
    events, metrics,
    recording::CANCEL,
    repo::{
        endpoints as repo, queue,
        secrets::{self, Sealed},
    },
    signing::Secret,
    view::{EndpointView, EndpointWithSecret, ShownSecret},
};
use crate::app::AppState;

/// Each event is compared with what all of them want.
const MOST_ENDPOINTS: i64 = 50;
/// A secret that was replaced signs beside the new one for so long.
const OVERLAP: TimeDelta = TimeDelta::hours(24);
/// Each of them is a signature of every webhook.
const MOST_SECRETS: usize = 5;

/// The answer to the call that makes an endpoint.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) answer: SavedResponse,
    /// None where a repeated call comes too late for it.
    pub(super) secret: Option<ShownSecret>,
    pub(super) replayed: bool,
}

pub(super) async fn create(
    state: &AppState,
    by: UserId,
    new: NewEndpoint,
    call: &RepeatableCall,
) -> Result<Created, WebhookError> {
    if let Some(saved) = call.answered(&state.pool, state.clock.now()).await? {
        return replayed(state, saved).await;
    }
    state.webhooks.addresses.require_public(&new.url).await?;
    let now = state.clock.now();
    let endpoint = Endpoint::new(new, by, now);
    let secret = Secret::random();

    let mut op = common_db::begin(&state.pool).await?;
    if let Some(saved) = call.claim_in_op(&mut op, now).await? {
        return replayed(state, saved).await;
    }
    if repo::count_alone_in_op(&mut op).await? >= MOST_ENDPOINTS {
        return Err(WebhookError::Full);
    }
    repo::insert_in_op(&mut op, &endpoint).await?;
    repo::subscribe_in_op(&mut op, endpoint.id, endpoint.wanted(), now).await?;
    keep_in_op(&mut op, state, endpoint.id, &secret, now).await?;
    events::publish_in_op(&mut op, state, Some(by), &endpoint, WebhookEndpointCreated).await?;
    // The secret is not kept with the answer: there it would lie in the clear.
    let answer = SavedResponse { status: 201, body: serde_json::to_value(EndpointView::from(endpoint))? };
    call.save_in_op(&mut op, &answer).await?;
    op.commit().await?;
    Ok(Created { answer, secret: Some(ShownSecret::from(&secret)), replayed: false })
}

/// With the secret, as the first time, until it is replaced: who did not get the answer has no other way to it.
async fn replayed(state: &AppState, answer: SavedResponse) -> Result<Created, WebhookError> {
    let id: Option<Uuid> = answer.body["id"].as_str().and_then(|id| id.parse().ok());
    let id = id.ok_or(WebhookError::Stored("an answer without an id"))?;
    let secret = secrets::first(&state.pool, id).await?;
    let secret = secret.map(|sealed| state.webhooks.keys.open(sealed.id, &sealed.content)).transpose()?;
    Ok(Created { answer, secret: secret.as_ref().map(ShownSecret::from), replayed: true })
}

async fn keep_in_op(
    op: &mut Op,
    state: &AppState,
    endpoint: Uuid,
    secret: &Secret,
    now: DateTime<Utc>,
) -> Result<(), WebhookError> {
    let id = ids::new_id();
    let content = state.webhooks.keys.seal(id, secret)?;
    let row = Sealed { id, endpoint_id: endpoint, content };
    Ok(secrets::insert_in_op(op, &row, now).await?)
}

pub(super) async fn get(state: &AppState, id: Uuid) -> Result<Endpoint, WebhookError> {
    repo::find(&state.pool, id).await?.ok_or(WebhookError::NoEndpoint)
}

pub(super) async fn update(
    state: &AppState,
    id: Uuid,
    by: UserId,
    asked: EndpointChange,
) -> Result<Endpoint, WebhookError> {
    if let Some(url) = &asked.url {
        state.webhooks.addresses.require_public(url).await?;
    }
    change(state, id, by, WebhookEndpointUpdated, |endpoint, _| endpoint.change(asked)).await
}

pub(super) async fn disable(
    state: &AppState,
    id: Uuid,
    by: UserId,
    reason: String,
) -> Result<Endpoint, WebhookError> {
    let disable = |endpoint: &mut Endpoint, now| endpoint.disable(Some(by), reason, now);
    change(state, id, by, WebhookEndpointDisabled, disable).await
}

pub(super) async fn enable(state: &AppState, id: Uuid, by: UserId) -> Result<Endpoint, WebhookError> {
    change(state, id, by, WebhookEndpointEnabled, |endpoint, _| endpoint.enable()).await
}

pub(super) async fn delete(state: &AppState, id: Uuid, by: UserId) -> Result<(), WebhookError> {
    change(state, id, by, WebhookEndpointDeleted, |endpoint, now| endpoint.delete(by, now)).await?;
    Ok(())
}

async fn change<T: EventData>(
    state: &AppState,
    id: Uuid,
    by: UserId,
    event: fn(WebhookEndpointSnapshot) -> T,
    decide: impl FnOnce(&mut Endpoint, DateTime<Utc>) -> Change,
) -> Result<Endpoint, WebhookError> {
    let mut op = common_db::begin(&state.pool).await?;
    let mut endpoint = repo::lock_in_op(&mut op, id).await?.ok_or(WebhookError::NoEndpoint)?;
    // After the lock, which may have taken a while: from then on it counts.
    let now = state.clock.now();
    let before = endpoint.status;
    if decide(&mut endpoint, now) == Change::AlreadyApplied {
        return Ok(endpoint);
    }
    repo::update_in_op(&mut op, &endpoint).await?;
    repo::subscribe_in_op(&mut op, id, endpoint.wanted(), now).await?;
    let mut cancelled = 0;
    if endpoint.status != before {
        cancelled = queue::cancel_in_op(&mut op, id, CANCEL, now).await?;
        // What waited before it was disabled is not sent when it is enabled again.
        if endpoint.status == Status::Enabled && queue::has_waiting_in_op(&mut op, id).await? {
            return Err(WebhookError::Cancelling);
        }
    }
    if endpoint.status == Status::Deleted {
        secrets::delete_in_op(&mut op, id).await?;
    }
    events::publish_in_op(&mut op, state, Some(by), &endpoint, event).await?;
    op.commit().await?;
    metrics::ended(DeliveryStatus::Cancelled, cancelled);
    Ok(endpoint)
}

/// A new secret. Those before it sign beside it for a day, so that the receiver can change over without a gap.
pub(super) async fn rotate_secret(
    state: &AppState,
    id: Uuid,
    by: UserId,
) -> Result<EndpointWithSecret, WebhookError> {
    let now = state.clock.now();
    let mut op = common_db::begin(&state.pool).await?;
    let endpoint = repo::lock_in_op(&mut op, id).await?.ok_or(WebhookError::NoEndpoint)?;
    if secrets::in_force(&mut *op, &[id], now).await?.len() >= MOST_SECRETS {
        return Err(WebhookError::TooManySecrets);
    }
    let secret = Secret::random();
    secrets::retire_in_op(&mut op, id, now + OVERLAP).await?;
    keep_in_op(&mut op, state, id, &secret, now).await?;
    events::publish_in_op(&mut op, state, Some(by), &endpoint, WebhookEndpointSecretRotated).await?;
    op.commit().await?;
    Ok(EndpointWithSecret { endpoint: endpoint.into(), secret: Some(ShownSecret::from(&secret)) })
}
