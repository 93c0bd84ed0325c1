//! A message, read: an event that concerns us, one that does not, or something that is none.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::{Message, message::BorrowedMessage};
use sha2::{Digest, Sha256};

use super::{EventHandler, Outcome, handler::where_in};
use crate::{Event, contracts};

/// Clocks differ; an event that claims to be of a later time than this is told of.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// What is in a message.
pub(crate) enum Reading {
    /// An event to take in.
    Ours(Box<Offered>),
    /// Nothing to do.
    Passed(Outcome),
    /// No event, or one that cannot be trusted.
    Broken(Broken),
}

/// An event, and what its bytes hash to.
pub(crate) struct Offered {
    pub(crate) event: Event,
    pub(crate) content: [u8; 32],
}

/// Why a message is set aside without a try.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("not an event: {}", where_in(.0))]
    NotAnEvent(#[from] serde_json::Error),
    #[error("not an event of CloudEvents 1.0")]
    OtherSpecification,
    /// Its place among the events of its subject means nothing, then.
    #[error("its key is {}, and that of an event about {subject:?} is what stands behind the slash", .key.as_deref().unwrap_or("missing"))]
    WrongKey { key: Option<String>, subject: String },
}

impl Reading {
    pub(crate) fn of(message: &BorrowedMessage<'_>, handler: &dyn EventHandler) -> Self {
        let payload = message.payload().unwrap_or_default();
        match read(payload, message.key()) {
            Err(broken) => Self::Broken(broken),
            Ok(event) if !takes(handler, &event) => Self::Passed(why_passed(&event)),
            Ok(event) => Self::Ours(Box::new(Offered { event, content: Sha256::digest(payload).into() })),
        }
    }
}

fn read(payload: &[u8], key: Option<&[u8]>) -> Result<Event, Broken> {
    let event: Event = serde_json::from_slice(payload)?;
    if event.specversion != "1.0" {
        return Err(Broken::OtherSpecification);
    }
    let belongs = event.subject.split_once('/').map(|(_, id)| id.as_bytes());
    if key.is_none() || key != belongs {
        let key = key.map(|key| shortened(&String::from_utf8_lossy(key)));
        return Err(Broken::WrongKey { key, subject: shortened(&event.subject) });
    }
    Ok(event)
}

/// Keys of ours are ids.
fn shortened(text: &str) -> String {
    text.chars().take(100).collect()
}

/// One that the handler cannot even look at is taken, so that it is tried, and in the end set aside.
fn takes(handler: &dyn EventHandler, event: &Event) -> bool {
    catch_unwind(AssertUnwindSafe(|| handler.takes(event))).unwrap_or(true)
}

fn why_passed(event: &Event) -> Outcome {
    match contracts::latest_version(&event.kind) {
        None => Outcome::UnknownType,
        Some(latest) if event.version() > latest => Outcome::FutureVersion,
        Some(_) => Outcome::Skipped,
    }
}

/// Whether the event claims to be of a time that has not come.
pub(super) fn is_ahead(event: &Event, now: DateTime<Utc>) -> bool {
    event.time.signed_duration_since(now) > AHEAD
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(changes: &[(&str, serde_json::Value)]) -> Vec<u8> {
        let mut event = json!({
            "specversion": "1.0", "id": "0199b2f0-0000-7000-8000-000000000001", "source": "/test", "type": "wallet.created",
            "subject": "wallet/w-1", "time": "2026-11-01T10:00:00Z", "datacontenttype": "application/json",
            "dataschema": "/schemas/wallet.created.v1.json", "correlationid": "c-1", "actor": "service:test", "data": {},
        });
        for (name, value) in changes {
            event[*name] = value.clone();
        }
        serde_json::to_vec(&event).unwrap()
    }

    #[test]
    fn what_is_no_event_or_lies_about_its_key_is_broken() {
        let key = Some(&b"w-1"[..]);
        assert!(read(&event(&[]), key).is_ok());
        assert!(matches!(read(b"{garbage", key), Err(Broken::NotAnEvent(_))));
        assert!(matches!(read(b"", key), Err(Broken::NotAnEvent(_))));
        assert!(matches!(read(&event(&[("id", json!(7))]), key), Err(Broken::NotAnEvent(_))));
        let other = event(&[("specversion", json!("0.3"))]);
        assert!(matches!(read(&other, key), Err(Broken::OtherSpecification)));
        for wrong in [None, Some(&b"w-2"[..]), Some(&b""[..]), Some(&b"\xff"[..])] {
            assert!(matches!(read(&event(&[]), wrong), Err(Broken::WrongKey { .. })), "{wrong:?}");
        }
        let unplaced = event(&[("subject", json!("w-1"))]);
        assert!(matches!(read(&unplaced, key), Err(Broken::WrongKey { .. })));
    }

    #[test]
    fn data_has_to_be_there_and_is_read_by_whom_it_concerns() {
        let key = Some(&b"w-1"[..]);
        let whole = String::from_utf8(event(&[])).unwrap();
        assert!(matches!(
            read(whole.replace("\"data\":{}", "\"date\":{}").as_bytes(), key),
            Err(Broken::NotAnEvent(_))
        ));
        assert!(matches!(read(whole.replace("{}", "{]").as_bytes(), key), Err(Broken::NotAnEvent(_))));
        let deep = whole.replace("{}", &format!("{}{}", "[".repeat(500), "]".repeat(500)));
        assert!(read(deep.as_bytes(), key).is_ok());
    }

    #[test]
    fn what_is_passed_over_is_told_apart() {
        let passed = |changes: &[(&str, serde_json::Value)]| {
            why_passed(&serde_json::from_slice(&event(changes)).unwrap())
        };
        assert_eq!(passed(&[]), Outcome::Skipped);
        assert_eq!(passed(&[("type", json!("wallet.painted"))]), Outcome::UnknownType);
        let future = json!("/schemas/wallet.created.v9.json");
        assert_eq!(passed(&[("dataschema", future)]), Outcome::FutureVersion);
    }

    #[test]
    fn a_time_to_come_is_noticed() {
        let event: Event = serde_json::from_slice(&event(&[])).unwrap();
        assert!(!is_ahead(&event, event.time - TimeDelta::minutes(5)));
        assert!(is_ahead(&event, event.time - TimeDelta::minutes(6)));
    }
}
