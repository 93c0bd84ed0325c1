//! A ticket: open → in progress (somebody has it) → resolved → closed. It never goes back.
//!
//! It may be resolved without having been assigned, and given to somebody else while it is in progress. Doing again
//! what was done is no error and changes nothing.

use chrono::{DateTime, Utc};
use common_utils::ids::{TicketId, TransactionId, UserId, WalletId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = TicketStatus)]
pub(crate) enum Status {
    Open,
    InProgress,
    Resolved,
    /// Final.
    Closed,
}

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::InProgress, Self::Resolved, Self::Closed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = TicketPriority)]
pub(crate) enum Priority {
    Low,
    #[default]
    Normal,
    High,
    Urgent,
}

impl Priority {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = TicketRelatedType)]
pub(crate) enum RelatedKind {
    Transaction,
    Wallet,
    User,
}

impl RelatedKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transaction => "transaction",
            Self::Wallet => "wallet",
            Self::User => "user",
        }
    }
}

/// What a ticket is about, in types that cannot be mixed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Related {
    Transaction(TransactionId),
    Wallet(WalletId),
    User(UserId),
}

impl Related {
    pub(crate) fn new(kind: RelatedKind, id: Uuid) -> Self {
        match kind {
            RelatedKind::Transaction => Self::Transaction(id.into()),
            RelatedKind::Wallet => Self::Wallet(id.into()),
            RelatedKind::User => Self::User(id.into()),
        }
    }

    pub(crate) fn parts(self) -> (RelatedKind, Uuid) {
        match self {
            Self::Transaction(id) => (RelatedKind::Transaction, id.uuid()),
            Self::Wallet(id) => (RelatedKind::Wallet, id.uuid()),
            Self::User(id) => (RelatedKind::User, id.uuid()),
        }
    }
}

/// Who is doing something to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Person {
    Customer(UserId),
    Staff(UserId),
}

impl Person {
    pub(crate) fn id(self) -> UserId {
        match self {
            Self::Customer(id) | Self::Staff(id) => id,
        }
    }
}

/// What a ticket is opened with.
#[derive(Debug)]
pub(crate) struct NewTicket {
    pub(crate) subject: String,
    pub(crate) description: String,
    pub(crate) priority: Priority,
    pub(crate) requester: UserId,
    pub(crate) related: Option<Related>,
}

#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) subject: String,
    pub(crate) description: String,
    pub(crate) status: Status,
    pub(crate) priority: Priority,
    pub(crate) requester: UserId,
    pub(crate) assignee: Option<UserId>,
    pub(crate) related: Option<Related>,
    pub(crate) resolution: Option<String>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) resolved_at: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Comment {
    pub(crate) id: Uuid,
    pub(crate) ticket: TicketId,
    pub(crate) author: Person,
    pub(crate) body: String,
    pub(crate) internal: bool,
    pub(crate) created_at: DateTime<Utc>,
}

/// Whether a step did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Executed,
    AlreadyApplied,
}

/// A step that the ticket's status does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the ticket is resolved")]
    Resolved,
    #[error("the ticket is closed")]
    Closed,
}

impl Ticket {
    pub(crate) fn open(new: NewTicket, now: DateTime<Utc>) -> Self {
        Self {
            id: TicketId::new(),
            subject: new.subject,
            description: new.description,
            status: Status::Open,
            priority: new.priority,
            requester: new.requester,
            assignee: None,
            related: new.related,
            resolution: None,
            created_at: now,
            resolved_at: None,
        }
    }

    pub(crate) fn assign(&mut self, to: UserId) -> Result<Change, Refusal> {
        self.under_work()?;
        if self.assignee == Some(to) {
            return Ok(Change::AlreadyApplied);
        }
        self.assignee = Some(to);
        self.status = Status::InProgress;
        Ok(Change::Executed)
    }

    pub(crate) fn resolve(&mut self, resolution: String, now: DateTime<Utc>) -> Result<Change, Refusal> {
        if self.status == Status::Resolved && self.resolution.as_ref() == Some(&resolution) {
            return Ok(Change::AlreadyApplied);
        }
        self.under_work()?;
        self.status = Status::Resolved;
        self.resolution = Some(resolution);
        self.resolved_at = Some(now);
        Ok(Change::Executed)
    }

    pub(crate) fn close(&mut self) {
        self.status = Status::Closed;
    }

    /// A resolved ticket still takes comments: the customer may have something to say to the resolution.
    pub(crate) fn comment(
        &self,
        author: Person,
        body: String,
        internal: bool,
        now: DateTime<Utc>,
    ) -> Result<Comment, Refusal> {
        if self.status == Status::Closed {
            return Err(Refusal::Closed);
        }
        let id = common_utils::ids::new_id();
        Ok(Comment { id, ticket: self.id, author, body, internal, created_at: now })
    }

    fn under_work(&self) -> Result<(), Refusal> {
        match self.status {
            Status::Open | Status::InProgress => Ok(()),
            Status::Resolved => Err(Refusal::Resolved),
            Status::Closed => Err(Refusal::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        let new = NewTicket {
            subject: "Where is my money?".to_owned(),
            description: "It left and did not arrive.".to_owned(),
            priority: Priority::Normal,
            requester: UserId::new(),
            related: None,
        };
        Ticket::open(new, DateTime::UNIX_EPOCH)
    }

    fn resolve(ticket: &mut Ticket, how: &str) -> Result<Change, Refusal> {
        ticket.resolve(how.to_owned(), DateTime::UNIX_EPOCH)
    }

    #[test]
    fn goes_from_open_over_in_progress_to_resolved() {
        let (mut ticket, ada, bola) = (ticket(), UserId::new(), UserId::new());
        assert_eq!(ticket.status, Status::Open);
        assert_eq!(ticket.assign(ada), Ok(Change::Executed));
        assert_eq!((ticket.status, ticket.assignee), (Status::InProgress, Some(ada)));
        assert_eq!(ticket.assign(bola), Ok(Change::Executed));
        assert_eq!(resolve(&mut ticket, "It has arrived."), Ok(Change::Executed));
        assert_eq!((ticket.status, ticket.resolved_at), (Status::Resolved, Some(DateTime::UNIX_EPOCH)));
    }

    #[test]
    fn an_open_ticket_may_be_resolved_at_once() {
        let mut ticket = ticket();
        assert_eq!(resolve(&mut ticket, "Known."), Ok(Change::Executed));
        assert_eq!(ticket.assignee, None);
    }

    #[test]
    fn doing_it_again_changes_nothing() {
        let (mut ticket, ada) = (ticket(), UserId::new());
        assert_eq!(
            [ticket.assign(ada), ticket.assign(ada)],
            [Ok(Change::Executed), Ok(Change::AlreadyApplied)]
        );
        assert_eq!(resolve(&mut ticket, "Done."), Ok(Change::Executed));
        assert_eq!(resolve(&mut ticket, "Done."), Ok(Change::AlreadyApplied));
    }

    #[test]
    fn what_is_resolved_or_closed_stays_so() {
        let mut ticket = ticket();
        resolve(&mut ticket, "Done.").unwrap();
        assert_eq!(ticket.assign(UserId::new()), Err(Refusal::Resolved));
        assert_eq!(resolve(&mut ticket, "Done otherwise."), Err(Refusal::Resolved));
        let customer = Person::Customer(ticket.requester);
        assert!(ticket.comment(customer, "Thanks".to_owned(), false, DateTime::UNIX_EPOCH).is_ok());
        ticket.close();
        assert_eq!(ticket.assign(UserId::new()), Err(Refusal::Closed));
        assert_eq!(resolve(&mut ticket, "Done."), Err(Refusal::Closed));
        let late = ticket.comment(customer, "Hello?".to_owned(), false, DateTime::UNIX_EPOCH);
        assert_eq!(late.unwrap_err(), Refusal::Closed);
    }
}
