//! The mailbox: messages that would have been sent to people. They are kept in memory to be looked at, and go nowhere; a stop
//! forgets them, because codes have no business in a file.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::Html,
};
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
/// Of one message, in characters.
const LONGEST_LINE: usize = 1_000;
const LONGEST_BODY: usize = 10_000;

/// Nothing on the page is run, and nothing is fetched for it.
const HEADERS: [(HeaderName, &str); 2] = [
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    (header::CACHE_CONTROL, "no-store"),
];
const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Mailbox of the provider twin</title>\
    <meta name=\"viewport\" content=\"width=device-width\">\
    <style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}\
    article{border-top:1px solid #ccc;padding:.5rem 0}p{white-space:pre-wrap;overflow-wrap:anywhere}small{color:#555}</style>\
    <h1>Mailbox</h1><p>What the platform would have sent, newest first. Nothing leaves this machine.</p>";

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    Email,
    Sms,
    Push,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "e-mail",
            Self::Sms => "SMS",
            Self::Push => "push",
        }
    }
}

#[derive(Debug, Clone, Serialize)]
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

impl NewMessage {
    fn check(&self) -> Result<(), Refusal> {
        if self.to.trim().is_empty() || self.body.is_empty() {
            return Err(Refusal::bad("to and body must not be empty."));
        }
        let line = |text: &str| text.chars().count() <= LONGEST_LINE;
        let fits = line(&self.to) && self.subject.as_deref().is_none_or(line);
        if !fits || self.body.chars().count() > LONGEST_BODY {
            return Err(Refusal::bad("to and subject have at most 1000 characters, body 10000."));
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    to: Option<String>,
}

/// Oldest first.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<VecDeque<Message>>);

impl Mailbox {
    pub(crate) fn count(&self) -> usize {
        self.locked().len()
    }

    fn keep(&self, message: Message) {
        let mut messages = self.locked();
        messages.push_back(message);
        if messages.len() > KEPT {
            messages.pop_front();
        }
    }

    /// Newest first; an empty search finds everything.
    fn find(&self, search: &Search) -> Vec<Message> {
        let wanted = search.to.as_deref().map(str::trim).filter(|to| !to.is_empty());
        // A `+` that was not percent-encoded arrives as a space.
        let number =
            wanted.filter(|to| to.bytes().all(|byte| byte.is_ascii_digit())).map(|to| format!("+{to}"));
        let matches = |message: &&Message| {
            wanted.is_none_or(|to| to == message.to) || number.as_ref().is_some_and(|to| *to == message.to)
        };
        self.locked().iter().rev().filter(matches).take(SHOWN).cloned().collect()
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /twin/messages`
pub(crate) async fn accept(
    State(twin): State<Arc<Twin>>,
    Body(new): Body<NewMessage>,
) -> Result<(StatusCode, Json<Message>), Refusal> {
    new.check()?;
    let message = Message {
        id: common_utils::ids::new_id(),
        channel: new.channel,
        to: new.to,
        subject: new.subject,
        body: new.body,
        created_at: twin.now(),
    };
    twin.mailbox.keep(message.clone());
    Ok((StatusCode::CREATED, Json(message)))
}

/// `GET /twin/messages?to=`, newest first
pub(crate) async fn list(State(twin): State<Arc<Twin>>, Params(search): Params<Search>) -> Json<Value> {
    Json(json!({ "items": twin.mailbox.find(&search) }))
}

/// `GET /twin/mailbox?to=`: the same to be read by people.
pub(crate) async fn page(
    State(twin): State<Arc<Twin>>,
    Params(search): Params<Search>,
) -> ([(HeaderName, &'static str); 2], Html<String>) {
    let mut page = String::from(HEAD);
    let to = escaped(search.to.as_deref().unwrap_or_default());
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "<form><label>To <input name=\"to\" value=\"{to}\"></label> <button>Show</button></form>"
    );
    let found = twin.mailbox.find(&search);
    if found.is_empty() {
        page.push_str("<p>No messages.</p>");
    }
    for message in found {
        let _ = write!(
            page,
            "<article><small>{} · {} · {}</small><h2>{}</h2><p>{}</p></article>",
            message.channel.name(),
            escaped(&message.to),
            message.created_at.format("%Y-%m-%d %H:%M:%S UTC"),
            escaped(message.subject.as_deref().unwrap_or_default()),
            escaped(&message.body),
        );
    }
    (HEADERS, Html(page))
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter => safe.push(letter),
        }
    }
    safe
}
