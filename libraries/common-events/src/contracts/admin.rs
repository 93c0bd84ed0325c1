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
    pub kind: String,
    pub id: Uuid,
}

/// A support ticket. Its words stay with admin-service: they may hold personal data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketSnapshot {
    pub ticket_id: Uuid,
    /// `open`, `in_progress`, `resolved` or `closed`.
    pub status: String,
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
