//! Support tickets: staff open them for customers, customers open their own.
//!
//! A call that changes a ticket: look outside (does the requester exist, may they relate to that wallet?) while no
//! transaction is open; then lock the ticket, let it decide, write it with its event, commit, count.

mod closing;
mod entity;
mod error;
mod events;
mod metrics;
mod repo;
pub(crate) mod routes;
pub(crate) mod routes_mine;
pub(crate) mod view;

pub(crate) use closing::close_resolved;
pub(crate) use metrics::register;

use common_db::{
    Op, PgPool,
    idempotency::{RepeatableCall, SavedResponse},
};
use common_events::{
    NewEvent,
    contracts::{EventData, TicketAssigned, TicketCommented, TicketCreated, TicketResolved, TicketSnapshot},
    outbox::{self, OutboxError},
};
use common_utils::{
    http::paging::{Limit, Page},
    ids::{TicketId, TransactionId, UserId},
};
use uuid::Uuid;

use self::{
    entity::{Change, Comment, NewTicket, Person, Related, Status, Ticket},
    error::TicketError,
    repo::Filter,
    view::{TicketView, Viewer},
};
use crate::{app::AppState, staff};

/// A ticket with more is a conversation that belongs elsewhere.
const MOST_COMMENTS: usize = 500;

/// The answer of a creating call: a ticket, or what the first call with its key was answered.
#[derive(Debug)]
enum Answer {
    Ticket(SavedResponse),
    Replayed(SavedResponse),
}

/// Opens a ticket.
async fn create(
    state: &AppState,
    by: Person,
    new: NewTicket,
    call: &RepeatableCall,
) -> Result<Answer, TicketError> {
    let now = state.clock.now();
    if let Some(saved) = call.answered(&state.pool, now).await? {
        return Ok(Answer::Replayed(saved));
    }
    if matches!(by, Person::Staff(_)) && !state.services.user_exists(new.requester).await? {
        return Err(TicketError::UnknownRequester);
    }
    require_related(state, by, new.related).await?;
    let ticket = Ticket::open(new, now);

    let mut op = common_db::begin(&state.pool).await?;
    if let Some(saved) = call.claim_in_op(&mut op, now).await? {
        return Ok(Answer::Replayed(saved));
    }
    repo::insert_in_op(&mut op, &ticket).await?;
    publish_in_op(&mut op, state, by, &ticket, TicketCreated).await?;
    let answer = answer(201, &TicketView::new(ticket, &[], by.into()))?;
    call.save_in_op(&mut op, &answer).await?;
    op.commit().await?;
    metrics::count(Status::Open, 1);
    Ok(Answer::Ticket(answer))
}

/// Adds a comment. A customer's ticket is found for them alone.
async fn comment(
    state: &AppState,
    by: Person,
    id: TicketId,
    (body, internal): (String, bool),
    call: &RepeatableCall,
) -> Result<Answer, TicketError> {
    let now = state.clock.now();
    let mut op = common_db::begin(&state.pool).await?;
    if let Some(saved) = call.claim_in_op(&mut op, now).await? {
        return Ok(Answer::Replayed(saved));
    }
    let ticket = lock_in_op(&mut op, by, id).await?;
    let comment = ticket.comment(by, body, internal, now)?;
    let mut comments = repo::comments(&mut *op, id).await?;
    if comments.len() >= MOST_COMMENTS {
        return Err(TicketError::Full);
    }
    repo::insert_comment_in_op(&mut op, &comment).await?;
    publish_in_op(&mut op, state, by, &ticket, TicketCommented).await?;
    comments.push(comment);
    let answer = answer(200, &TicketView::new(ticket, &comments, by.into()))?;
    call.save_in_op(&mut op, &answer).await?;
    op.commit().await?;
    Ok(Answer::Ticket(answer))
}

/// Gives a ticket to somebody who works on tickets. Taking it oneself needs no proof: the caller's token is one.
async fn assign(
    state: &AppState,
    by: UserId,
    id: TicketId,
    assignee: UserId,
) -> Result<TicketView, TicketError> {
    if assignee != by && !staff::works_on_tickets(&state.pool, assignee).await? {
        return Err(TicketError::NotStaff);
    }
    let by = Person::Staff(by);
    let mut op = common_db::begin(&state.pool).await?;
    let mut ticket = lock_in_op(&mut op, by, id).await?;
    let before = ticket.status;
    let change = ticket.assign(assignee)?;
    if change == Change::Executed {
        repo::update_in_op(&mut op, &ticket).await?;
        publish_in_op(&mut op, state, by, &ticket, TicketAssigned).await?;
    }
    finish(op, ticket, before).await
}

async fn resolve(
    state: &AppState,
    by: UserId,
    id: TicketId,
    resolution: String,
) -> Result<TicketView, TicketError> {
    let by = Person::Staff(by);
    let mut op = common_db::begin(&state.pool).await?;
    let mut ticket = lock_in_op(&mut op, by, id).await?;
    let before = ticket.status;
    let change = ticket.resolve(resolution, state.clock.now())?;
    if change == Change::Executed {
        repo::update_in_op(&mut op, &ticket).await?;
        publish_in_op(&mut op, state, by, &ticket, TicketResolved).await?;
    }
    finish(op, ticket, before).await
}

/// Commits a step of a member of staff, and shows the ticket as it is then.
async fn finish(mut op: Op, ticket: Ticket, before: Status) -> Result<TicketView, TicketError> {
    let comments = repo::comments(&mut *op, ticket.id).await?;
    op.commit().await?;
    if ticket.status != before {
        metrics::count(ticket.status, 1);
    }
    Ok(TicketView::new(ticket, &comments, Viewer::Staff))
}

async fn get(state: &AppState, by: Person, id: TicketId) -> Result<TicketView, TicketError> {
    let ticket = visible_to(by, repo::find(&state.pool, id).await?)?;
    let comments = repo::comments(&state.pool, id).await?;
    Ok(TicketView::new(ticket, &comments, by.into()))
}

async fn list(
    state: &AppState,
    viewer: Viewer,
    filter: &Filter,
    after: Option<Uuid>,
    limit: Limit,
) -> Result<Page<TicketView>, TicketError> {
    Ok(list_in(&state.pool, viewer, filter, after, limit).await?)
}

/// The newest tickets that somebody asked for, as staff see them.
pub(crate) async fn of_requester(pool: &PgPool, requester: UserId) -> sqlx::Result<Vec<TicketView>> {
    let filter = Filter { requester: Some(requester), ..Filter::default() };
    Ok(list_in(pool, Viewer::Staff, &filter, None, Limit::new(None)).await?.items)
}

/// The newest tickets about a transaction, as staff see them.
pub(crate) async fn about_transaction(pool: &PgPool, id: TransactionId) -> sqlx::Result<Vec<TicketView>> {
    let filter = Filter { related: Some(Related::Transaction(id)), ..Filter::default() };
    Ok(list_in(pool, Viewer::Staff, &filter, None, Limit::new(None)).await?.items)
}

async fn list_in(
    pool: &PgPool,
    viewer: Viewer,
    filter: &Filter,
    after: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Page<TicketView>> {
    let tickets = repo::list(pool, filter, after, limit).await?;
    let page = Page::from_rows(tickets, limit, |ticket| ticket.id);
    let comments: Vec<Comment> = repo::newest_comments(pool, &page.items, viewer == Viewer::Staff).await?;
    Ok(page.map(|ticket| TicketView::new(ticket, &comments, viewer)))
}

async fn lock_in_op(op: &mut Op, by: Person, id: TicketId) -> Result<Ticket, TicketError> {
    visible_to(by, repo::lock_in_op(op, id).await?)
}

/// To a customer, somebody else's ticket is none at all.
fn visible_to(person: Person, ticket: Option<Ticket>) -> Result<Ticket, TicketError> {
    ticket
        .filter(|ticket| match person {
            Person::Customer(id) => ticket.requester == id,
            Person::Staff(_) => true,
        })
        .ok_or(TicketError::NotFound)
}

/// What a ticket is about must exist; to a customer, only what is their own does.
async fn require_related(state: &AppState, by: Person, related: Option<Related>) -> Result<(), TicketError> {
    let theirs = |owner: UserId| match by {
        Person::Customer(id) => owner == id,
        Person::Staff(_) => true,
    };
    let found = match related {
        None => true,
        Some(Related::User(id)) => theirs(id) && state.services.user_exists(id).await?,
        Some(Related::Wallet(id)) => state.services.wallet_owner(id).await?.is_some_and(theirs),
        Some(Related::Transaction(id)) => state.services.parties(id).await?.is_some_and(|parties| match by {
            Person::Customer(id) => parties.include(id),
            Person::Staff(_) => true,
        }),
    };
    if found { Ok(()) } else { Err(TicketError::UnknownRelated) }
}

async fn publish_in_op<E: EventData>(
    op: &mut Op,
    state: &AppState,
    by: Person,
    ticket: &Ticket,
    event: impl FnOnce(TicketSnapshot) -> E,
) -> Result<(), OutboxError> {
    let context = state.event_context(events::actor(by));
    outbox::publish_in_op(op, &[NewEvent::new(&context, &event(events::snapshot(ticket)))?]).await
}

fn answer(status: u16, view: &TicketView) -> serde_json::Result<SavedResponse> {
    Ok(SavedResponse { status, body: serde_json::to_value(view)? })
}
