//! `admin-events`, published by admin-service, keyed by ticket.

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
