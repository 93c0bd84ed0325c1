//! A ticket as the other services see it: without its words.

use common_events::{
    Actor,
    contracts::{RelatedTo, TicketSnapshot},
};

use super::entity::{Person, Ticket};

pub(super) fn snapshot(ticket: &Ticket) -> TicketSnapshot {
    TicketSnapshot {
        ticket_id: ticket.id.uuid(),
        status: ticket.status.name().to_owned(),
        priority: ticket.priority.name().to_owned(),
        requester_id: ticket.requester.uuid(),
        assignee_id: ticket.assignee.map(Into::into),
        related_to: ticket.related.map(|related| {
            let (kind, id) = related.parts();
            RelatedTo { kind: kind.name().to_owned(), id }
        }),
        created_at: ticket.created_at,
        resolved_at: ticket.resolved_at,
    }
}

pub(super) fn actor(person: Person) -> Actor {
    match person {
        Person::Customer(id) => Actor::user(id),
        Person::Staff(id) => Actor::staff(id),
    }
}
