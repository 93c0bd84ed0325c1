//! `admin-events`, published by admin-service, keyed by ticket, dead letter or webhook endpoint.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::events;
use crate::Topic;

/// What a ticket is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedTo {
    /// `transaction`, `wallet` or `user`.
    #[serde(rename = "type")]
    #[schemars(example = &"transaction")]
    pub kind: String,
    pub id: Uuid,
}

/// A support ticket. Its words stay with admin-service: they may hold personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketSnapshot {
    pub ticket_id: Uuid,
    /// `open`, `in_progress`, `resolved` or `closed`.
    #[schemars(example = &"open")]
    pub status: String,
    #[schemars(example = &"normal")]
    pub priority: String,
    pub requester_id: Uuid,
    pub assignee_id: Option<Uuid>,
    pub related_to: Option<RelatedTo>,
    pub created_at: DateTime<Utc>,
    pub resolved_at: Option<DateTime<Utc>>,
}

events! { Topic::Admin, TicketSnapshot, "ticket", ticket_id:
    /// A ticket was opened.
    TicketCreated = "admin.ticket.created";
    /// A ticket was given to somebody.
    TicketAssigned = "admin.ticket.assigned";
    /// Somebody commented on a ticket.
    TicketCommented = "admin.ticket.commented";
    /// A ticket was resolved.
    TicketResolved = "admin.ticket.resolved";
    /// A resolved ticket was closed for good.
    TicketClosed = "admin.ticket.closed";
}

/// A message that a consumer could not handle, and what was decided about it. What is in the message is not told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetterSnapshot {
    pub letter_id: Uuid,
    /// `replaying` or `discarded`.
    #[schemars(example = &"replaying")]
    pub status: String,
    /// The topic that it was taken from.
    #[schemars(example = &"wallet-events")]
    pub topic: String,
    /// Who could not handle it.
    #[schemars(example = &"transaction-service")]
    pub consumer_group: String,
    /// The event in the message, where it is one.
    pub event_id: Option<Uuid>,
    #[schemars(example = &"wallet.credited")]
    pub event_type: Option<String>,
    /// Why it was discarded.
    pub reason: Option<String>,
    pub decided_at: DateTime<Utc>,
}

events! { Topic::Admin, DeadLetterSnapshot, "dead_letter", letter_id:
    /// It was ordered that a dead letter is put back into its topic; those who had its event drop it.
    DeadLetterReplayed = "admin.dead_letter.replayed";
    /// A dead letter is given up, for a reason.
    DeadLetterDiscarded = "admin.dead_letter.discarded";
}

/// Where webhooks are sent to. Its secrets are in no event, nor is the path of its address, which may hold one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpointSnapshot {
    pub endpoint_id: Uuid,
    /// `enabled`, `disabled` or `deleted`.
    #[schemars(example = &"enabled")]
    pub status: String,
    #[schemars(example = &"https://example.com")]
    pub origin: String,
    /// What is sent to it.
    #[schemars(example = ["wallet.*"])]
    pub event_types: Vec<String>,
    /// Why it is disabled.
    pub reason: Option<String>,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::Admin, WebhookEndpointSnapshot, "webhook_endpoint", endpoint_id:
    /// A webhook endpoint was made.
    WebhookEndpointCreated = "admin.webhook_endpoint.created";
    /// The address, the description or the event types of a webhook endpoint were changed.
    WebhookEndpointUpdated = "admin.webhook_endpoint.updated";
    /// A disabled webhook endpoint gets events again.
    WebhookEndpointEnabled = "admin.webhook_endpoint.enabled";
    /// A webhook endpoint gets nothing any more: staff disabled it, it said that it is gone, or it failed for days.
    WebhookEndpointDisabled = "admin.webhook_endpoint.disabled";
    /// A webhook endpoint was deleted.
    WebhookEndpointDeleted = "admin.webhook_endpoint.deleted";
    /// A webhook endpoint has a new secret; the one before signs beside it for a while.
    WebhookEndpointSecretRotated = "admin.webhook_endpoint.secret_rotated";
    /// Staff sent a test to a webhook endpoint.
    WebhookEndpointTested = "admin.webhook_endpoint.tested";
}

/// An order to send to a webhook endpoint again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WebhookResendSnapshot {
    pub endpoint_id: Uuid,
    /// The one delivery that was ordered; null where it is all that failed in a period.
    pub delivery_id: Option<Uuid>,
    /// From when on the deliveries were made.
    pub period_from: Option<DateTime<Utc>>,
    /// Before when; null for until now.
    pub period_to: Option<DateTime<Utc>>,
    /// How many deliveries are sent again.
    #[schemars(example = 1)]
    pub deliveries: i64,
    pub changed_at: DateTime<Utc>,
}

events! { Topic::Admin, WebhookResendSnapshot, "webhook_endpoint", endpoint_id:
    /// Staff ordered that events are sent to a webhook endpoint again.
    WebhookEndpointResent = "admin.webhook_endpoint.resent";
}
