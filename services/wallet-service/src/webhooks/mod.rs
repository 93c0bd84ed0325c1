//! Webhooks of providers: stored as they came, then handled.
//!
//! Order of steps: provider by name → signature over the raw body → stored and committed → 200 → the worker is woken
//! → it asks the provider for its own record of the movement → compares → credits, once for each reference. What the wallet
//! may not take is kept on the suspense account; what was above a limit is released from there once it fits (`parked/`).
//!
//! A body that is not of the contract is stored too and answered 200: its sender is the provider, and sending it
//! again would not make it better. It ends as `failed`, with an error in log and metrics.

mod deposit;
mod entity;
mod error;
mod events;
mod handle;
mod metrics;
pub(crate) mod parked;
mod repo;
mod routes;
mod worker;

use axum::http::{HeaderMap, StatusCode};
use common_utils::{correlation, http::Problem, ids};
use sha2::{Digest, Sha256};

pub use entity::Patience;
pub use parked::{BankReference, Parking, Releasing};
pub(crate) use routes::routes;
pub use worker::Handling;

use crate::app::AppState;

/// Takes a webhook in; answers what its provider wants to hear.
async fn receive(
    state: &AppState,
    provider: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<serde_json::Value, Problem> {
    let Some(provider) = state.providers.get(provider) else {
        metrics::counted(metrics::NOBODY, metrics::UNKNOWN_PROVIDER);
        return Err(Problem::not_found("provider"));
    };
    if let Err(error) = provider.verify_webhook(headers, body) {
        metrics::counted(provider.name(), metrics::INVALID_SIGNATURE);
        tracing::warn!(provider = provider.name(), security_event = "webhook_signature", "{error}");
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "invalid_signature",
            "The signature is missing, or it is not that of this body.",
        ));
    }
    let webhook = repo::NewWebhook {
        id: ids::new_id(),
        provider: provider.name(),
        body,
        body_hash: &Sha256::digest(body),
        correlation_id: &correlation::current(),
        received_at: state.clock.now(),
    };
    let new = repo::store(&state.pool, &webhook).await.map_err(common_db::constraint::problem)?;
    metrics::counted(provider.name(), if new { metrics::RECEIVED } else { metrics::REPEATED });
    tracing::info!(webhook = %webhook.id, provider = provider.name(), new, "webhook received");
    state.webhooks_arrived.notify_one();
    Ok(provider.webhook_answer())
}
