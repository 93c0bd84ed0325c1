//! Messages that would have been sent to people. They are kept to be looked at, and go nowhere.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    error::Refusal,
    extract::{Body, Params},
    twin::Twin,
};

/// The newest messages that are kept, and the most that one answer shows.
const KEPT: usize = 10_000;
const SHOWN: usize = 100;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    Email,
    Sms,
    Push,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    id: Uuid,
    channel: Channel,
    to: String,
    subject: Option<String>,
    body: String,
    created_at: DateTime<Utc>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewMessage {
    channel: Channel,
    to: String,
    subject: Option<String>,
    body: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    to: Option<String>,
}

/// `POST /twin/messages`
pub(crate) async fn accept(
    State(twin): State<Arc<Twin>>,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Refusal> {
    if new.to.trim().is_empty() || new.body.is_empty() {
        return Err(Refusal::bad("to and body must not be empty."));
    }
    let message = Message {
        id: common_utils::ids::new_id(),
        channel: new.channel,
        to: new.to,
        subject: new.subject,
        body: new.body,
        created_at: twin.now(),
    };
    let kept = message.clone();
    twin.change(|book| {
        book.messages.push_back(kept);
        if book.messages.len() > KEPT {
            book.messages.pop_front();
        }
        Ok(())
    })
    .await?;
    Ok((StatusCode::CREATED, Json(message)))
}

/// `GET /twin/messages?to=`, newest first
pub(crate) async fn list(State(twin): State<Arc<Twin>>, Params(search): Params<Search>) -> Json<Value> {
    let items: Vec<Message> = twin.read(|book| {
        let wanted = |message: &&Message| search.to.as_ref().is_none_or(|to| *to == message.to);
        book.messages.iter().rev().filter(wanted).take(SHOWN).cloned().collect()
    });
    Json(json!({ "items": items }))
}
