//! Which events an endpoint gets: those whose type it asked for, from when it asked until it did not any more. The time of the
//! event decides, so it does not matter how much later it is taken in.
//!
//! Integrators get what the services publish about people, wallets and transactions. What admin-service publishes is about
//! the platform's own affairs and goes to nobody.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use chrono::{DateTime, Utc};
use common_events::{Event, Topic, contracts};
use uuid::Uuid;

/// Of what a test call sends.
pub(crate) const TEST_TYPE: &str = "webhook.test";

/// The types that can be asked for, each with the version that is sent: the oldest that is still published, so that nobody
/// gets one fact twice while there are two.
static PUBLISHED: LazyLock<BTreeMap<&'static str, u16>> = LazyLock::new(|| {
    let mut published = BTreeMap::new();
    for contract in contracts::all() {
        if contract.topic != Topic::Admin {
            let version = published.entry(contract.kind).or_insert(contract.version);
            *version = contract.version.min(*version);
        }
    }
    published
});

pub(crate) fn is_published(event: &Event) -> bool {
    PUBLISHED.get(event.kind.as_str()) == Some(&event.version())
}

/// For somebody who asked for something else.
pub(crate) fn published_types() -> String {
    PUBLISHED.keys().copied().collect::<Vec<_>>().join(", ")
}

/// A type, or the beginning of types with `*` for the rest: `wallet.created`, `wallet.*`, `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// None for what fits no type that is published.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let pattern = Self(text.to_owned());
        PUBLISHED.keys().any(|kind| pattern.fits(kind)).then_some(pattern)
    }

    /// One that was stored. Its types may not be published any more; then nothing fits it.
    pub(super) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    fn fits(&self, kind: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some("") => true,
            Some(beginning) => beginning.ends_with('.') && kind.starts_with(beginning),
            None => self.0 == kind,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) endpoint_id: Uuid,
    pub(crate) pattern: Pattern,
    pub(crate) since: DateTime<Utc>,
    pub(crate) until: Option<DateTime<Utc>>,
}

impl Subscription {
    fn wants(&self, event: &Event) -> bool {
        self.pattern.fits(&event.kind)
            && self.since <= event.time
            && self.until.is_none_or(|until| event.time < until)
    }
}

/// Who gets the event, each once.
pub(crate) fn receivers(subscriptions: &[Subscription], event: &Event) -> BTreeSet<Uuid> {
    let wanting = subscriptions.iter().filter(|subscription| subscription.wants(event));
    wanting.map(|subscription| subscription.endpoint_id).collect()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde_json::json;

    use super::*;

    fn event(kind: &str, version: u16, second: i64) -> Event {
        serde_json::from_value(json!({
            "specversion": "1.0", "id": Uuid::nil(), "source": "/test", "type": kind, "subject": "wallet/w-1",
            "time": DateTime::UNIX_EPOCH + TimeDelta::seconds(second), "datacontenttype": "application/json",
            "dataschema": format!("/schemas/{kind}.v{version}.json"), "correlationid": "c-1",
            "actor": "service:test", "data": {},
        }))
        .unwrap()
    }

    #[test]
    fn a_pattern_fits_whole_parts_of_a_type() {
        for (pattern, kind, fits) in [
            ("*", "wallet.created", true),
            ("wallet.*", "wallet.created", true),
            ("wallet.*", "wallet.hold.placed", true),
            ("wallet.hold.*", "wallet.created", false),
            ("wallet.created", "wallet.created", true),
            ("wallet.created", "wallet.created_again", false),
            ("wallet*", "wallet.created", false),
            ("wal*", "wallet.created", false),
            ("w.*", "wallet.created", false),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).fits(kind), fits, "{pattern} {kind}");
        }
    }

    #[test]
    fn only_what_is_published_to_integrators_can_be_asked_for() {
        for right in ["*", "wallet.*", "identity.user.registered", "transaction.completed"] {
            assert!(Pattern::parse(right).is_some(), "{right}");
        }
        for wrong in
            ["", "admin.*", "admin.ticket.created", "wallet", "wallet.", "wallet.exploded", "*.created", "**"]
        {
            assert!(Pattern::parse(wrong).is_none(), "{wrong}");
        }
        assert!(is_published(&event("wallet.created", 1, 0)));
        assert!(
            !is_published(&event("wallet.created", 2, 0)),
            "beside the first, until that is not published any more"
        );
        assert!(!is_published(&event("admin.ticket.created", 1, 0)));
        assert!(published_types().contains("wallet.hold.placed"));
    }

    #[test]
    fn the_time_of_the_event_decides_who_gets_it() {
        let at = |second| DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        let of = |endpoint, pattern: &str, since, until: Option<i64>| Subscription {
            endpoint_id: Uuid::from_u128(endpoint),
            pattern: Pattern(pattern.to_owned()),
            since: at(since),
            until: until.map(at),
        };
        let all = [of(1, "wallet.created", 10, Some(20)), of(1, "wallet.*", 20, None), of(2, "*", 15, None)];
        let got = |kind, second| -> Vec<u128> {
            receivers(&all, &event(kind, 1, second)).into_iter().map(|id| id.as_u128()).collect()
        };
        assert_eq!(got("wallet.created", 9), [0_u128; 0]);
        assert_eq!(got("wallet.created", 10), [1]);
        assert_eq!(got("wallet.created", 19), [1, 2]);
        assert_eq!(got("wallet.created", 20), [1, 2], "one after the other, and once");
        assert_eq!(got("wallet.closed", 19), [2]);
        assert_eq!(got("wallet.closed", 20), [1, 2]);
    }
}
