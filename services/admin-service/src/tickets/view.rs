//! Tickets as clients see them.

use chrono::{DateTime, Utc};
use common_utils::ids::{TicketId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::entity::{Comment, Person, Priority, Related, RelatedKind, Status, Ticket};

/// What a ticket is about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TicketRelatedTo)]
pub(crate) struct RelatedTo {
    #[serde(rename = "type")]
    pub(crate) kind: RelatedKind,
    pub(crate) id: Uuid,
}

impl From<RelatedTo> for Related {
    fn from(related: RelatedTo) -> Self {
        Self::new(related.kind, related.id)
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TicketAuthorType)]
pub(crate) enum AuthorType {
    Customer,
    Staff,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TicketComment)]
pub(crate) struct CommentView {
    pub(crate) id: Uuid,
    #[schema(value_type = Uuid)]
    pub(crate) author_id: UserId,
    pub(crate) author_type: AuthorType,
    pub(crate) body: String,
    /// Staff only; the customer does not see such a comment.
    pub(crate) internal: bool,
    pub(crate) created_at: DateTime<Utc>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Ticket)]
pub(crate) struct TicketView {
    #[schema(value_type = Uuid)]
    pub(crate) id: TicketId,
    pub(crate) subject: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    pub(crate) priority: Priority,
    #[schema(value_type = Uuid)]
    pub(crate) requester_id: UserId,
    #[schema(value_type = Option<Uuid>)]
    pub(crate) assignee_id: Option<UserId>,
    pub(crate) related_to: Option<RelatedTo>,
    /// Oldest first. In lists, only the newest 20 of a ticket.
    pub(crate) comments: Vec<CommentView>,
    pub(crate) resolution: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) resolved_at: Option<DateTime<Utc>>,
}

/// Who is looking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Viewer {
    Customer,
    Staff,
}

impl From<Person> for Viewer {
    fn from(person: Person) -> Self {
        match person {
            Person::Customer(_) => Self::Customer,
            Person::Staff(_) => Self::Staff,
        }
    }
}

impl TicketView {
    /// Takes the ticket's own comments out of `comments`, and of those what the viewer may see.
    pub(crate) fn new(ticket: Ticket, comments: &[Comment], viewer: Viewer) -> Self {
        let visible = |comment: &&Comment| {
            comment.ticket == ticket.id && (viewer == Viewer::Staff || !comment.internal)
        };
        Self {
            comments: comments.iter().filter(visible).map(CommentView::from).collect(),
            id: ticket.id,
            subject: ticket.subject,
            description: ticket.description,
            status: ticket.status,
            priority: ticket.priority,
            requester_id: ticket.requester,
            assignee_id: ticket.assignee,
            related_to: ticket.related.map(|related| {
                let (kind, id) = related.parts();
                RelatedTo { kind, id }
            }),
            resolution: ticket.resolution,
            created_at: ticket.created_at,
            resolved_at: ticket.resolved_at,
        }
    }
}

impl From<&Comment> for CommentView {
    fn from(comment: &Comment) -> Self {
        Self {
            id: comment.id,
            author_id: comment.author.id(),
            author_type: match comment.author {
                Person::Customer(_) => AuthorType::Customer,
                Person::Staff(_) => AuthorType::Staff,
            },
            body: comment.body.clone(),
            internal: comment.internal,
            created_at: comment.created_at,
        }
    }
}
