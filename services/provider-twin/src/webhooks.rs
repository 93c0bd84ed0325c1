//! Webhooks: signed, sent in the background, tried again until they are taken or the attempts are used up.
//!
//! Order of steps: the delivery is written into the book together with the movement that it tells of; then it is
//! sent; each attempt is written down. Pending deliveries that a stop left behind are sent after the next start.

use std::{collections::VecDeque, sync::Arc};

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha512;
use uuid::Uuid;

use crate::{book::Book, twin::Twin};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "x-xpresswallet-signature";

/// The log keeps this many deliveries.
const LOG_LENGTH: usize = 10_000;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) event: String,
    pub(crate) reference: String,
    /// The exact text that is signed and sent.
    pub(crate) body: String,
    pub(crate) state: DeliveryState,
    pub(crate) attempts: u32,
    pub(crate) last_answer: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_attempt_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    Pending,
    Delivered,
    GivenUp,
}

/// What a webhook tells of.
#[derive(Debug, Serialize)]
struct Notice<'a> {
    event: &'a str,
    data: &'a Value,
}

/// The hex HMAC-SHA512 of the raw body.
pub fn signature(secret: &SecretString, body: &[u8]) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha512>::new_from_slice(secret.expose_secret().as_bytes())?;
    mac.update(body);
    Ok(hex::encode(mac.finalize().into_bytes()))
}

/// Writes `copies` deliveries of one notice into the book.
pub(crate) fn enqueue(
    book: &mut Book,
    (event, reference): (&str, &str),
    data: &Value,
    copies: usize,
    now: DateTime<Utc>,
) -> Vec<Uuid> {
    // A struct of text and JSON always serializes.
    let body = serde_json::to_string(&Notice { event, data }).unwrap_or_default();
    let deliveries = (0..copies).map(|_| Delivery {
        id: common_utils::ids::new_id(),
        event: event.to_owned(),
        reference: reference.to_owned(),
        body: body.clone(),
        state: DeliveryState::Pending,
        attempts: 0,
        last_answer: None,
        created_at: now,
        last_attempt_at: None,
    });
    let first = book.deliveries.len();
    book.deliveries.extend(deliveries);
    let ids = book.deliveries.iter().skip(first).map(|delivery| delivery.id).collect();
    forget_oldest_finished(&mut book.deliveries);
    ids
}

fn forget_oldest_finished(deliveries: &mut VecDeque<Delivery>) {
    while deliveries.len() > LOG_LENGTH {
        let finished = deliveries.iter().position(|delivery| delivery.state != DeliveryState::Pending);
        let Some(index) = finished else { return };
        deliveries.remove(index);
    }
}

/// Sends these deliveries in the background.
pub(crate) fn dispatch(twin: &Arc<Twin>, ids: &[Uuid]) {
    for id in ids {
        twin.tasks.spawn(deliver(Arc::clone(twin), *id));
    }
}

/// Sends what was pending when the twin last stopped.
pub(crate) fn resume(twin: &Arc<Twin>) {
    let pending: Vec<Uuid> = twin.read(|book| {
        let pending = book.deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Pending);
        pending.map(|delivery| delivery.id).collect()
    });
    dispatch(twin, &pending);
}

async fn deliver(twin: Arc<Twin>, id: Uuid) {
    let found = twin.read(|book| {
        let delivery = book.deliveries.iter().find(|delivery| delivery.id == id)?;
        Some((delivery.body.clone(), delivery.attempts))
    });
    let Some((body, mut attempt)) = found else { return };
    loop {
        attempt += 1;
        let answer = tokio::select! {
            answer = post(&twin, &body) => answer,
            () = twin.stop.cancelled() => return,
        };
        let state = match &answer {
            Ok(_) => DeliveryState::Delivered,
            Err(_) if attempt >= twin.config.redelivery.attempts => DeliveryState::GivenUp,
            Err(_) => DeliveryState::Pending,
        };
        note(&twin, id, state, attempt, answer.unwrap_or_else(|problem| problem)).await;
        if state != DeliveryState::Pending {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(twin.config.redelivery.pause_after(attempt)) => {}
            () = twin.stop.cancelled() => return,
        }
    }
}

/// One attempt; only a 2xx counts as taken.
async fn post(twin: &Twin, body: &str) -> Result<String, String> {
    let _turn = twin.senders.acquire().await.map_err(|error| error.to_string())?;
    let signed =
        signature(&twin.config.webhook_secret, body.as_bytes()).map_err(|error| error.to_string())?;
    let request = twin
        .http
        .post(&twin.config.webhook_url)
        .header("content-type", "application/json")
        .header(SIGNATURE_HEADER, signed)
        .body(body.to_owned());
    let unreached = |error: reqwest::Error| format!("{:#}", anyhow::Error::new(error.without_url()));
    let status = request.send().await.map_err(unreached)?.status();
    if status.is_success() { Ok(status.to_string()) } else { Err(status.to_string()) }
}

async fn note(twin: &Twin, id: Uuid, state: DeliveryState, attempts: u32, answer: String) {
    tracing::info!(delivery = %id, ?state, attempts, answer, "webhook attempt");
    let now = twin.now();
    let noted = twin.change(|book| {
        if let Some(delivery) = book.deliveries.iter_mut().find(|delivery| delivery.id == id) {
            delivery.state = state;
            delivery.attempts = attempts;
            delivery.last_answer = Some(answer);
            delivery.last_attempt_at = Some(now);
        }
        Ok(())
    });
    // A failure to write is logged by `change`; the delivery is then sent once more after the next start.
    drop(noted.await);
}
