//! All SQL about tickets.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::{
    http::paging::Limit,
    ids::{TicketId, UserId},
};
use sqlx::Executor;
use uuid::Uuid;

use super::entity::{Comment, Person, Priority, Related, RelatedKind, Status, Ticket};

/// In lists, a ticket shows so many of its comments, the newest.
const COMMENTS_IN_LIST: i64 = 20;

struct TicketRow {
    id: Uuid,
    subject: String,
    description: String,
    status: Status,
    priority: Priority,
    requester_id: Uuid,
    assignee_id: Option<Uuid>,
    related_type: Option<RelatedKind>,
    related_id: Option<Uuid>,
    resolution: Option<String>,
    created_at: DateTime<Utc>,
    resolved_at: Option<DateTime<Utc>>,
}

impl From<TicketRow> for Ticket {
    fn from(row: TicketRow) -> Self {
        Self {
            id: row.id.into(),
            subject: row.subject,
            description: row.description,
            status: row.status,
            priority: row.priority,
            requester: row.requester_id.into(),
            assignee: row.assignee_id.map(Into::into),
            related: row.related_type.zip(row.related_id).map(|(kind, id)| Related::new(kind, id)),
            resolution: row.resolution,
            created_at: row.created_at,
            resolved_at: row.resolved_at,
        }
    }
}

struct CommentRow {
    id: Uuid,
    ticket_id: Uuid,
    author_id: Uuid,
    author_type: String,
    body: String,
    internal: bool,
    created_at: DateTime<Utc>,
}

impl From<CommentRow> for Comment {
    fn from(row: CommentRow) -> Self {
        let author = row.author_id.into();
        Self {
            id: row.id,
            ticket: row.ticket_id.into(),
            author: if row.author_type == "staff" { Person::Staff(author) } else { Person::Customer(author) },
            body: row.body,
            internal: row.internal,
            created_at: row.created_at,
        }
    }
}

/// Which tickets a list shows.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) status: Option<Status>,
    pub(super) assignee: Option<UserId>,
    pub(super) requester: Option<UserId>,
    pub(super) related: Option<Related>,
}

pub(super) async fn insert_in_op(op: &mut Op, ticket: &Ticket) -> sqlx::Result<()> {
    let related = ticket.related.map(Related::parts);
    sqlx::query!(
        "INSERT INTO tickets (id, subject, description, status, priority, requester_id, assignee_id, related_type,
                              related_id, resolution, created_at, resolved_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        ticket.id.uuid(),
        ticket.subject,
        ticket.description,
        ticket.status.name(),
        ticket.priority.name(),
        ticket.requester.uuid(),
        ticket.assignee.map(Uuid::from),
        related.map(|(kind, _)| kind.name()),
        related.map(|(_, id)| id),
        ticket.resolution,
        ticket.created_at,
        ticket.resolved_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Locks the ticket until the end of the transaction.
pub(super) async fn lock_in_op(op: &mut Op, id: TicketId) -> sqlx::Result<Option<Ticket>> {
    let row = sqlx::query_as!(
        TicketRow,
        r#"SELECT id, subject, description, status AS "status: Status", priority AS "priority: Priority",
                  requester_id, assignee_id, related_type AS "related_type: RelatedKind", related_id, resolution,
                  created_at, resolved_at
           FROM tickets WHERE id = $1 FOR UPDATE"#,
        id.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    Ok(row.map(Into::into))
}

pub(super) async fn find(pool: &PgPool, id: TicketId) -> sqlx::Result<Option<Ticket>> {
    let row = sqlx::query_as!(
        TicketRow,
        r#"SELECT id, subject, description, status AS "status: Status", priority AS "priority: Priority",
                  requester_id, assignee_id, related_type AS "related_type: RelatedKind", related_id, resolution,
                  created_at, resolved_at
           FROM tickets WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Into::into))
}

/// What changes in a ticket's life.
pub(super) async fn update_in_op(op: &mut Op, ticket: &Ticket) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE tickets SET status = $2, assignee_id = $3, resolution = $4, resolved_at = $5 WHERE id = $1",
        ticket.id.uuid(),
        ticket.status.name(),
        ticket.assignee.map(Uuid::from),
        ticket.resolution,
        ticket.resolved_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Newest first.
pub(super) async fn list(
    pool: &PgPool,
    filter: &Filter,
    after: Option<Uuid>,
    limit: Limit,
) -> sqlx::Result<Vec<Ticket>> {
    let related = filter.related.map(Related::parts);
    let mut op = common_db::begin(pool).await?;
    // A plan for these very filters: one that serves all of them would use no index.
    op.execute("SET LOCAL plan_cache_mode = force_custom_plan").await?;
    let rows = sqlx::query_as!(
        TicketRow,
        r#"SELECT id, subject, description, status AS "status: Status", priority AS "priority: Priority",
                  requester_id, assignee_id, related_type AS "related_type: RelatedKind", related_id, resolution,
                  created_at, resolved_at
           FROM tickets
           WHERE ($1::text IS NULL OR status = $1)
             AND ($2::uuid IS NULL OR assignee_id = $2)
             AND ($3::uuid IS NULL OR requester_id = $3)
             AND ($4::uuid IS NULL OR id < $4)
             AND ($6::text IS NULL OR (related_type = $6 AND related_id = $7))
           ORDER BY id DESC LIMIT $5"#,
        filter.status.map(Status::name),
        filter.assignee.map(Uuid::from),
        filter.requester.map(Uuid::from),
        after,
        limit.rows(),
        related.map(|(kind, _)| kind.name()),
        related.map(|(_, id)| id),
    )
    .fetch_all(&mut *op)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn insert_comment_in_op(op: &mut Op, comment: &Comment) -> sqlx::Result<()> {
    let author_type = match comment.author {
        Person::Customer(_) => "customer",
        Person::Staff(_) => "staff",
    };
    sqlx::query!(
        "INSERT INTO ticket_comments (id, ticket_id, author_id, author_type, body, internal, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        comment.id,
        comment.ticket.uuid(),
        comment.author.id().uuid(),
        author_type,
        comment.body,
        comment.internal,
        comment.created_at,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// All comments of a ticket, oldest first. There are no more than a ticket can have.
pub(super) async fn comments(
    executor: impl sqlx::PgExecutor<'_>,
    ticket: TicketId,
) -> sqlx::Result<Vec<Comment>> {
    let rows = sqlx::query_as!(
        CommentRow,
        "SELECT id, ticket_id, author_id, author_type, body, internal, created_at
         FROM ticket_comments WHERE ticket_id = $1 ORDER BY id",
        ticket.uuid(),
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// The newest comments of each of these tickets, oldest first; internal ones only where they are asked for.
pub(super) async fn newest_comments(
    pool: &PgPool,
    tickets: &[Ticket],
    with_internal: bool,
) -> sqlx::Result<Vec<Comment>> {
    let ids: Vec<Uuid> = tickets.iter().map(|ticket| ticket.id.uuid()).collect();
    let rows = sqlx::query_as!(
        CommentRow,
        r#"SELECT newest.id AS "id!", newest.ticket_id AS "ticket_id!", newest.author_id AS "author_id!",
                  newest.author_type AS "author_type!", newest.body AS "body!", newest.internal AS "internal!",
                  newest.created_at AS "created_at!"
           FROM UNNEST($1::uuid[]) AS wanted (ticket_id)
           CROSS JOIN LATERAL (
               SELECT * FROM ticket_comments
               WHERE ticket_comments.ticket_id = wanted.ticket_id AND ($2 OR NOT internal)
               ORDER BY id DESC LIMIT $3) AS newest
           ORDER BY newest.id"#,
        &ids,
        with_internal,
        COMMENTS_IN_LIST,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// Locks tickets that were resolved before `before`, oldest first.
pub(super) async fn lock_resolved_in_op(
    op: &mut Op,
    before: DateTime<Utc>,
    at_most: i64,
) -> sqlx::Result<Vec<Ticket>> {
    let rows = sqlx::query_as!(
        TicketRow,
        r#"SELECT id, subject, description, status AS "status: Status", priority AS "priority: Priority",
                  requester_id, assignee_id, related_type AS "related_type: RelatedKind", related_id, resolution,
                  created_at, resolved_at
           FROM tickets WHERE status = 'resolved' AND resolved_at < $1
           ORDER BY resolved_at LIMIT $2 FOR UPDATE SKIP LOCKED"#,
        before,
        at_most,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

pub(super) async fn close_in_op(op: &mut Op, tickets: &[Ticket]) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = tickets.iter().map(|ticket| ticket.id.uuid()).collect();
    sqlx::query!("UPDATE tickets SET status = 'closed' WHERE id = ANY($1)", &ids).execute(&mut **op).await?;
    Ok(())
}
