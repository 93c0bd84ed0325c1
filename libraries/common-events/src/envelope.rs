//! The envelope: CloudEvents 1.0, structured JSON, with the extensions `correlationid`, `traceparent` and `actor`.

use chrono::{DateTime, Utc};
use common_utils::{correlation, telemetry::trace_context};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use tracing::Instrument;
use uuid::Uuid;

use crate::contracts::EventData;

pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// Who caused an event, written as `user:{id}`, `api_key:{id}` (a machine, that acts for the key's owner), `staff:{id}`, `service:{name}` or
/// `provider:{name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Actor(String);

impl Actor {
    pub fn user(id: impl Into<Uuid>) -> Self {
        Self(format!("user:{}", id.into()))
    }

    pub fn api_key(id: impl Into<Uuid>) -> Self {
        Self(format!("api_key:{}", id.into()))
    }

    pub fn staff(id: impl Into<Uuid>) -> Self {
        Self(format!("staff:{}", id.into()))
    }

    pub fn service(name: &str) -> Self {
        Self(format!("service:{name}"))
    }

    pub fn provider(name: &str) -> Self {
        Self(format!("provider:{name}"))
    }

    /// The kind and the id.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or(("service", &self.0))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Actor {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// An event as it travels.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub specversion: String,
    pub id: Uuid,
    /// The service that published it, for example `/wallet-service`.
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is about, for example `wallet/{id}`.
    pub subject: String,
    pub time: DateTime<Utc>,
    pub datacontenttype: String,
    pub dataschema: String,
    pub correlationid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    pub actor: Actor,
    /// As it came: most consumers take few of the events that they see, and read the data of no others.
    pub data: Box<RawValue>,
}

/// What an event tells beside its data: who did it, when, in which service.
#[derive(Debug, Clone)]
pub struct EventContext {
    pub source: &'static str,
    pub actor: Actor,
    pub now: DateTime<Utc>,
    correlation_id: String,
    traceparent: Option<String>,
}

impl EventContext {
    /// Of the running request.
    pub fn new(source: &'static str, actor: Actor, now: DateTime<Utc>) -> Self {
        let (correlation_id, traceparent) = (correlation::current(), trace_context::traceparent());
        Self { source, actor, now, correlation_id, traceparent }
    }

    /// Of another request than the running one: work that many requests brought is done in one task.
    pub fn of_request(
        source: &'static str,
        actor: Actor,
        now: DateTime<Utc>,
        correlation_id: String,
        traceparent: Option<String>,
    ) -> Self {
        Self { source, actor, now, correlation_id, traceparent }
    }

    /// The service as labels of metrics name it: `wallet` of `wallet-service`.
    pub(crate) fn service_label(&self) -> &'static str {
        self.source.strip_suffix("-service").unwrap_or(self.source)
    }
}

/// An event as it is written, without a copy of its parts; [`Event`] is how it is read.
#[derive(Serialize)]
struct Written<'a, T> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: String,
    time: DateTime<Utc>,
    datacontenttype: &'static str,
    dataschema: String,
    correlationid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    actor: &'a Actor,
    data: &'a T,
}

/// The event as JSON.
pub(crate) fn write<T: EventData>(id: Uuid, context: &EventContext, data: &T) -> serde_json::Result<String> {
    serde_json::to_string(&Written {
        specversion: "1.0",
        id,
        source: format!("/{}", context.source),
        kind: T::TYPE,
        subject: data.subject(),
        time: context.now,
        datacontenttype: "application/json",
        dataschema: format!("/schemas/{}.v{}.json", T::TYPE, T::VERSION),
        correlationid: &context.correlation_id,
        traceparent: context.traceparent.as_deref(),
        actor: &context.actor,
        data,
    })
}

impl Event {
    /// Whether it is a `T`, in the version of that type.
    pub fn is<T: EventData>(&self) -> bool {
        self.kind == T::TYPE && self.version() == T::VERSION
    }

    /// The data, if this event is a `T`.
    pub fn data<T: EventData + DeserializeOwned>(&self) -> Option<serde_json::Result<T>> {
        self.is::<T>().then(|| serde_json::from_str(self.data.get()))
    }

    /// Of its type, as its schema is named: `/schemas/<type>.v<version>.json`. The first where nothing is said.
    pub fn version(&self) -> u16 {
        let name = self.dataschema.strip_suffix(".json").unwrap_or(&self.dataschema);
        name.rsplit_once(".v").and_then(|(_, version)| version.parse().ok()).unwrap_or(1)
    }

    /// Does the work on this event under its correlation id, as a continuation of its cause's trace.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        let correlation_id = correlation::accept(Some(&self.correlationid));
        let span = self.span(&correlation_id);
        correlation::scope(correlation_id, work).instrument(span).await
    }

    /// For a line about this event that is written outside of [`Event::scope`].
    pub(crate) fn in_span(&self, tell: impl FnOnce()) {
        self.span(&correlation::accept(Some(&self.correlationid))).in_scope(tell);
    }

    fn span(&self, correlation_id: &str) -> tracing::Span {
        let span = tracing::info_span!("event", kind = self.kind, correlation_id);
        if let Some(traceparent) = &self.traceparent {
            trace_context::adopt(&span, traceparent);
        }
        span
    }
}
