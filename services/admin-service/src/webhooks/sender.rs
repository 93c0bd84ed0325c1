//! One attempt: a POST without redirects, without a proxy, and with one deadline for all of it.
//!
//! A proxy would resolve the names itself, and the check of addresses (`address.rs`) would be none. So there is no way
//! through one, whatever the environment says.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use common_utils::clock::SharedClock;
use reqwest::{Client, Response, StatusCode, Url, header, redirect::Policy};
use uuid::Uuid;

use super::{
    address::{Addresses, PublicOnly},
    delivery::Attempt,
    signing::{Secret, signatures},
};

const USER_AGENT: &str = concat!("wallet-platform/", env!("CARGO_PKG_VERSION"));
/// Of an answer, so much is read and kept.
const MOST_ANSWER: usize = 1024;
const LONGEST_ERROR: usize = 300;

/// What is sent.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) url: Url,
    pub(crate) message_id: Uuid,
    pub(crate) payload: String,
    pub(crate) secrets: Vec<Secret>,
}

#[derive(Debug, Clone)]
pub(crate) struct Sender {
    client: Client,
    addresses: Addresses,
    clock: SharedClock,
    timeout: Duration,
}

impl Sender {
    pub(crate) fn new(addresses: Addresses, timeout: Duration, clock: SharedClock) -> anyhow::Result<Self> {
        let mut builder = Client::builder()
            .user_agent(USER_AGENT)
            .timeout(timeout)
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .tcp_nodelay(true)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(4);
        if !addresses.allow_private {
            builder = builder.https_only(true).dns_resolver(PublicOnly);
        }
        let client = builder.build().context("no client for webhooks")?;
        Ok(Self { client, addresses, clock, timeout })
    }

    /// Sends it once. The time in its signature is that of this attempt: receivers refuse what is old.
    pub(crate) async fn attempt(&self, outgoing: Outgoing) -> Attempt {
        let at = self.clock.now();
        let started = Instant::now();
        let mut attempt = match self.post(outgoing, at).await {
            Ok(response) => self.read(response, at).await,
            Err(error) => Attempt {
                at,
                duration: Duration::ZERO,
                status_code: None,
                error: Some(error),
                answer: None,
                retry_after: None,
            },
        };
        attempt.duration = started.elapsed();
        attempt
    }

    async fn post(&self, outgoing: Outgoing, at: DateTime<Utc>) -> Result<Response, String> {
        let Outgoing { url, message_id, payload, secrets } = outgoing;
        self.addresses.check(&url).map_err(|error| format!("the address {error}"))?;
        if secrets.is_empty() {
            return Err("there is no secret to sign it with".to_owned());
        }
        let (id, timestamp) = (message_id.to_string(), at.timestamp());
        let request = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-signature", signatures(&secrets, &id, timestamp, &payload))
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .body(payload);
        request.send().await.map_err(|error| self.describe(&error))
    }

    /// The status is the answer. What else is sent is read up to a bound, and may stop in the middle.
    async fn read(&self, mut response: Response, at: DateTime<Utc>) -> Attempt {
        let status = response.status();
        let retry_after = retry_after(&response, at);
        let mut answer = Vec::new();
        while answer.len() < MOST_ANSWER {
            let Ok(Some(chunk)) = response.chunk().await else { break };
            answer.extend_from_slice(&chunk);
        }
        answer.truncate(MOST_ANSWER);
        let error = match status {
            status if status.is_success() => None,
            status if status.is_redirection() => {
                Some(format!("answered {}; redirects are not followed", status.as_u16()))
            }
            status => Some(format!("answered {}", status.as_u16())),
        };
        Attempt {
            at,
            duration: Duration::ZERO,
            status_code: Some(status.as_u16()),
            error,
            answer: (!answer.is_empty()).then(|| printable(&String::from_utf8_lossy(&answer))),
            retry_after,
        }
    }

    /// What went wrong and what was behind it, without the address, whose path may be a secret.
    fn describe(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            return format!("no answer within {} seconds", self.timeout.as_secs());
        }
        let what = if error.is_connect() { "cannot connect" } else { "cannot send" };
        let mut words = what.to_owned();
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(words, ": {error}");
            cause = error.source();
        }
        printable(&words.chars().take(LONGEST_ERROR).collect::<String>())
    }
}

/// Where the receiver says when to come again: in seconds, or as a date.
fn retry_after(response: &Response, now: DateTime<Utc>) -> Option<TimeDelta> {
    let asks = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let text = response.headers().get(header::RETRY_AFTER).filter(|_| asks)?.to_str().ok()?.trim();
    wait(text, now)
}

fn wait(text: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let wait = match text.parse::<u32>() {
        Ok(seconds) => TimeDelta::seconds(seconds.into()),
        Err(_) => DateTime::parse_from_rfc2822(text).ok()?.signed_duration_since(now),
    };
    (wait > TimeDelta::zero()).then_some(wait)
}

/// Postgres takes no U+0000, and a terminal no other control characters.
fn printable(text: &str) -> String {
    let kept = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    text.chars().map(|letter| if kept(letter) { letter } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_read_in_both_forms() {
        let now: DateTime<Utc> = "2026-11-22T10:00:00Z".parse().unwrap();
        let seconds = |text| wait(text, now).map(|wait| wait.num_seconds());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Sun, 22 Nov 2026 10:01:30 GMT"), Some(90));
        for none in ["", "soon", "-5", "0", "Sun, 22 Nov 2026 09:00:00 GMT"] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_shown_as_such() {
        assert_eq!(printable("a\0b\u{1b}[31m\nc"), "a\u{fffd}b\u{fffd}[31m\nc");
    }
}
