//! A webhook endpoint: enabled ⇄ disabled → deleted. Staff enable and disable it; the service disables one that says it is
//! gone, or whose every attempt failed for days.

use chrono::{DateTime, TimeDelta, Utc};
use common_utils::ids::{self, UserId};
use reqwest::Url;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{delivery::Attempt, subscription::Pattern};

/// For so long all attempts have to fail until the endpoint is disabled.
const PATIENCE: TimeDelta = TimeDelta::days(5);
/// An endpoint for which so many events wait is disabled: it will not catch up.
pub(super) const MOST_WAITING: i64 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = WebhookEndpointStatus)]
pub(crate) enum Status {
    Enabled,
    Disabled,
    /// Shown to nobody; its log goes when it is old enough.
    Deleted,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
        }
    }
}

/// Who disabled an endpoint: a member of staff, or the service itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disabled {
    pub(crate) reason: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) by: Option<UserId>,
}

#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) id: Uuid,
    pub(crate) url: Url,
    pub(crate) description: String,
    pub(crate) event_types: Vec<Pattern>,
    pub(crate) status: Status,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) created_by: UserId,
    pub(crate) disabled: Option<Disabled>,
    /// No attempt has succeeded since.
    pub(crate) failing_since: Option<DateTime<Utc>>,
    /// Counts its addresses and the times that it was enabled. What was sent to an earlier one says nothing about it.
    pub(crate) generation: i32,
}

/// What an endpoint is made with.
#[derive(Debug)]
pub(crate) struct NewEndpoint {
    pub(crate) url: Url,
    pub(crate) description: String,
    pub(crate) event_types: Vec<Pattern>,
}

/// What is to be different; what is left out stays as it is.
#[derive(Debug, Default)]
pub(crate) struct EndpointChange {
    pub(crate) url: Option<Url>,
    pub(crate) description: Option<String>,
    pub(crate) event_types: Option<Vec<Pattern>>,
}

/// Whether anything was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Executed,
    AlreadyApplied,
}

impl Change {
    pub(super) fn when(executed: bool) -> Self {
        if executed { Self::Executed } else { Self::AlreadyApplied }
    }
}

/// Why the service disables an endpoint by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Gone,
    Failing,
    Overdue,
}

impl Cause {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Gone => "It answered 410 Gone.",
            Self::Failing => "Every attempt failed for 5 days.",
            Self::Overdue => "100,000 events waited for it.",
        }
    }
}

impl Endpoint {
    pub(crate) fn new(new: NewEndpoint, by: UserId, now: DateTime<Utc>) -> Self {
        Self {
            id: ids::new_id(),
            url: new.url,
            description: new.description,
            event_types: new.event_types,
            status: Status::Enabled,
            created_at: now,
            created_by: by,
            disabled: None,
            failing_since: None,
            generation: 1,
        }
    }

    /// What it is to get from now on.
    pub(crate) fn wanted(&self) -> &[Pattern] {
        if self.status == Status::Enabled { &self.event_types } else { &[] }
    }

    /// Another address has its own chance: what failed at the one before does not count against it.
    pub(crate) fn change(&mut self, change: EndpointChange) -> Change {
        let before = self.clone();
        if let Some(url) = change.url
            && url != self.url
        {
            self.url = url;
            self.begin_anew();
        }
        if let Some(description) = change.description {
            self.description = description;
        }
        if let Some(event_types) = change.event_types {
            self.event_types = event_types;
        }
        let same = before.url == self.url
            && before.description == self.description
            && before.event_types == self.event_types;
        Change::when(!same)
    }

    pub(crate) fn enable(&mut self) -> Change {
        let executed = self.status == Status::Disabled;
        if executed {
            self.status = Status::Enabled;
            self.disabled = None;
            self.begin_anew();
        }
        Change::when(executed)
    }

    fn begin_anew(&mut self) {
        self.failing_since = None;
        self.generation = self.generation.wrapping_add(1);
    }

    pub(crate) fn disable(&mut self, by: Option<UserId>, reason: String, now: DateTime<Utc>) -> Change {
        let executed = self.status == Status::Enabled;
        if executed {
            self.status = Status::Disabled;
            self.disabled = Some(Disabled { reason, at: now, by });
        }
        Change::when(executed)
    }

    /// Deleted ones are not found, so nobody deletes twice.
    pub(crate) fn delete(&mut self, by: UserId, now: DateTime<Utc>) -> Change {
        self.status = Status::Deleted;
        self.disabled = Some(Disabled { reason: "It was deleted.".to_owned(), at: now, by: Some(by) });
        Change::Executed
    }

    /// What an attempt of that generation says about it. Names the cause where it is disabled by that.
    pub(crate) fn saw(&mut self, attempt: &Attempt, generation: i32, now: DateTime<Utc>) -> Option<Cause> {
        if self.status != Status::Enabled || generation != self.generation {
            return None;
        }
        if attempt.succeeded() {
            self.failing_since = None;
            return None;
        }
        let since = *self.failing_since.get_or_insert(now);
        let cause = if attempt.gone() {
            Cause::Gone
        } else if now.signed_duration_since(since) >= PATIENCE {
            Cause::Failing
        } else {
            return None;
        };
        self.give_up(cause, now);
        Some(cause)
    }

    /// The service disables it by itself.
    pub(crate) fn give_up(&mut self, cause: Cause, now: DateTime<Utc>) -> Change {
        self.disable(None, cause.words().to_owned(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        let new = NewEndpoint {
            url: "https://example.com/hook".parse().unwrap(),
            description: String::new(),
            event_types: vec![Pattern::parse("wallet.*").unwrap()],
        };
        Endpoint::new(new, UserId::new(), DateTime::UNIX_EPOCH)
    }

    /// An attempt as it is now.
    fn saw(endpoint: &mut Endpoint, attempt: &Attempt, now: DateTime<Utc>) -> Option<Cause> {
        endpoint.saw(attempt, endpoint.generation, now)
    }

    fn at(days: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(days)
    }

    #[test]
    fn it_is_disabled_when_everything_failed_for_five_days() {
        let mut endpoint = endpoint();
        let (failed, done) = (Attempt::answered(500), Attempt::answered(204));
        assert_eq!(saw(&mut endpoint, &failed, at(0)), None);
        assert_eq!(saw(&mut endpoint, &failed, at(5) - TimeDelta::microseconds(1)), None);
        assert_eq!(saw(&mut endpoint, &done, at(5)), None);
        assert_eq!(endpoint.failing_since, None, "one success starts the time anew");
        assert_eq!(saw(&mut endpoint, &failed, at(6)), None);
        assert_eq!(saw(&mut endpoint, &failed, at(11)), Some(Cause::Failing));
        let disabled = endpoint.disabled.clone().unwrap();
        assert_eq!((endpoint.status, disabled.at, disabled.by), (Status::Disabled, at(11), None));
        assert_eq!(saw(&mut endpoint, &failed, at(12)), None, "it is disabled once");
    }

    #[test]
    fn who_is_gone_is_disabled_at_once() {
        let mut endpoint = endpoint();
        assert_eq!(saw(&mut endpoint, &Attempt::answered(410), at(0)), Some(Cause::Gone));
        assert!(endpoint.wanted().is_empty());
    }

    #[test]
    fn an_attempt_of_before_it_was_enabled_says_nothing() {
        let mut endpoint = endpoint();
        let (before, gone) = (endpoint.generation, Attempt::answered(410));
        endpoint.disable(None, "a pause".to_owned(), at(1));
        endpoint.enable();
        assert_eq!(endpoint.saw(&gone, before, at(2)), None);
        assert_eq!(saw(&mut endpoint, &gone, at(2)), Some(Cause::Gone));
    }

    #[test]
    fn repeating_a_step_changes_nothing() {
        let (mut endpoint, by) = (endpoint(), UserId::new());
        assert_eq!(endpoint.enable(), Change::AlreadyApplied);
        assert_eq!(endpoint.disable(Some(by), "moved".to_owned(), at(1)), Change::Executed);
        assert_eq!(endpoint.disable(Some(by), "other".to_owned(), at(2)), Change::AlreadyApplied);
        assert_eq!(endpoint.disabled.as_ref().unwrap().reason, "moved");
        assert_eq!(endpoint.enable(), Change::Executed);
        assert_eq!(endpoint.disabled, None);
        let same = EndpointChange { description: Some(String::new()), ..EndpointChange::default() };
        assert_eq!(endpoint.change(same), Change::AlreadyApplied);
    }

    #[test]
    fn another_address_starts_with_a_clean_record() {
        let mut endpoint = endpoint();
        saw(&mut endpoint, &Attempt::answered(500), at(0));
        let same =
            EndpointChange { url: Some("https://example.com/hook".parse().unwrap()), ..Default::default() };
        assert_eq!(endpoint.change(same), Change::AlreadyApplied);
        assert!(endpoint.failing_since.is_some());
        let other =
            EndpointChange { url: Some("https://example.com/other".parse().unwrap()), ..Default::default() };
        let before = endpoint.generation;
        assert_eq!(endpoint.change(other), Change::Executed);
        assert_eq!(endpoint.failing_since, None);
        assert_eq!(endpoint.saw(&Attempt::answered(410), before, at(3)), None, "the address before is gone");
        assert_eq!(endpoint.status, Status::Enabled);
    }
}
