//! Endpoints, and from when until when they want which events.

use chrono::{DateTime, Utc};
use common_db::{Op, PgPool};
use common_utils::http::paging::Limit;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::super::{
    entity::{Disabled, Endpoint, Status},
    error::WebhookError,
    subscription::{Pattern, Subscription},
};

struct Row {
    id: Uuid,
    url: String,
    description: String,
    event_types: Vec<String>,
    status: Status,
    created_at: DateTime<Utc>,
    created_by: Uuid,
    disabled_reason: Option<String>,
    disabled_at: Option<DateTime<Utc>>,
    disabled_by: Option<Uuid>,
    failing_since: Option<DateTime<Utc>>,
    generation: i32,
}

impl TryFrom<Row> for Endpoint {
    type Error = WebhookError;

    fn try_from(row: Row) -> Result<Self, WebhookError> {
        let disabled = row.disabled_at.zip(row.disabled_reason);
        Ok(Self {
            id: row.id,
            url: row.url.parse().map_err(|_| WebhookError::Stored("a URL"))?,
            description: row.description,
            event_types: row.event_types.into_iter().map(Pattern::stored).collect(),
            status: row.status,
            created_at: row.created_at,
            created_by: row.created_by.into(),
            disabled: disabled.map(|(at, reason)| Disabled {
                reason,
                at,
                by: row.disabled_by.map(Into::into),
            }),
            failing_since: row.failing_since,
            generation: row.generation,
        })
    }
}

macro_rules! query_endpoints {
    ($rest:literal, $($argument:expr),* $(,)?) => {
        sqlx::query_as!(
            Row,
            r#"SELECT id, url, description, event_types, status AS "status: Status", created_at, created_by, disabled_reason,
                      disabled_at, disabled_by, failing_since, generation
               FROM webhook_endpoints "# + $rest,
            $($argument),*
        )
    };
}

pub(in crate::webhooks) async fn insert_in_op(op: &mut Op, endpoint: &Endpoint) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO webhook_endpoints (id, url, description, event_types, status, created_at, created_by, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        endpoint.id,
        endpoint.url.as_str(),
        endpoint.description,
        &patterns(&endpoint.event_types) as _,
        endpoint.status.name(),
        endpoint.created_at,
        endpoint.created_by.uuid(),
        endpoint.generation,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What changes in an endpoint's life.
pub(in crate::webhooks) async fn update_in_op(op: &mut Op, endpoint: &Endpoint) -> sqlx::Result<()> {
    let disabled = endpoint.disabled.as_ref();
    sqlx::query!(
        "UPDATE webhook_endpoints SET url = $2, description = $3, event_types = $4, status = $5, disabled_reason = $6,
                                      disabled_at = $7, disabled_by = $8, failing_since = $9, generation = $10
         WHERE id = $1",
        endpoint.id,
        endpoint.url.as_str(),
        endpoint.description,
        &patterns(&endpoint.event_types) as _,
        endpoint.status.name(),
        disabled.map(|disabled| disabled.reason.as_str()),
        disabled.map(|disabled| disabled.at),
        disabled.and_then(|disabled| disabled.by).map(Uuid::from),
        endpoint.failing_since,
        endpoint.generation,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Locks the endpoint until the end of the transaction. Deliveries for it may be written meanwhile.
pub(in crate::webhooks) async fn lock_in_op(op: &mut Op, id: Uuid) -> Result<Option<Endpoint>, WebhookError> {
    let row = query_endpoints!("WHERE id = $1 AND status <> 'deleted' FOR NO KEY UPDATE", id);
    row.fetch_optional(&mut **op).await?.map(TryInto::try_into).transpose()
}

pub(in crate::webhooks) async fn find(pool: &PgPool, id: Uuid) -> Result<Option<Endpoint>, WebhookError> {
    let row = query_endpoints!("WHERE id = $1 AND status <> 'deleted'", id);
    row.fetch_optional(pool).await?.map(TryInto::try_into).transpose()
}

/// Newest first.
pub(in crate::webhooks) async fn list(
    pool: &PgPool,
    before: Option<Uuid>,
    limit: Limit,
) -> Result<Vec<Endpoint>, WebhookError> {
    let rows = query_endpoints!(
        "WHERE status <> 'deleted' AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
        before,
        limit.rows(),
    );
    rows.fetch_all(pool).await?.into_iter().map(TryInto::try_into).collect()
}

/// Counts them. Nobody else does until the end of the transaction, so that two who come together do not both get the last place.
pub(in crate::webhooks) async fn count_alone_in_op(op: &mut Op) -> sqlx::Result<i64> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended('webhook endpoints', 0))")
        .execute(&mut **op)
        .await?;
    sqlx::query_scalar!(r#"SELECT count(*) AS "endpoints!" FROM webhook_endpoints WHERE status <> 'deleted'"#)
        .fetch_one(&mut **op)
        .await
}

/// Writes down that from now on it wants these and no others.
pub(in crate::webhooks) async fn subscribe_in_op(
    op: &mut Op,
    endpoint: Uuid,
    wanted: &[Pattern],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "WITH ended AS (
             UPDATE webhook_subscriptions SET until = GREATEST($3, since)
             WHERE endpoint_id = $1 AND until IS NULL AND event_type <> ALL ($2::text[]))
         INSERT INTO webhook_subscriptions (endpoint_id, event_type, since)
         SELECT $1, wanted, $3 FROM UNNEST($2::text[]) AS wanted
         WHERE NOT EXISTS (SELECT FROM webhook_subscriptions
                           WHERE endpoint_id = $1 AND event_type = wanted AND until IS NULL)
         ON CONFLICT ON CONSTRAINT webhook_subscriptions_pkey DO UPDATE SET until = NULL",
        endpoint,
        &patterns(wanted) as _,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What enabled endpoints want, and wanted.
pub(in crate::webhooks) async fn subscriptions(
    database: impl PgExecutor<'_>,
) -> sqlx::Result<Vec<Subscription>> {
    let rows = sqlx::query!(
        "SELECT s.endpoint_id, s.event_type, s.since, s.until
         FROM webhook_endpoints e JOIN webhook_subscriptions s ON s.endpoint_id = e.id WHERE e.status = 'enabled'",
    )
    .fetch_all(database)
    .await?;
    let subscriptions = rows.into_iter().map(|row| Subscription {
        endpoint_id: row.endpoint_id,
        pattern: Pattern::stored(row.event_type),
        since: row.since,
        until: row.until,
    });
    Ok(subscriptions.collect())
}

fn patterns(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(Pattern::as_str).collect()
}
