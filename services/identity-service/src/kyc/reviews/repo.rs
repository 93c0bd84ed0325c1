//! All SQL about the queue, approvals, and who looked.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::{self, UserId};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::super::cases::{
    entity::{Case, CaseId, Reason, Status},
    error::CaseError,
    repo::read,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) status: Status,
    pub(crate) tier: Option<i16>,
    pub(crate) oldest_first: bool,
}

/// A case in a list, with who approved it in the running round.
#[derive(Debug)]
pub(crate) struct Queued {
    pub(crate) case: Line,
    pub(crate) approvals: i64,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) country: String,
    pub(crate) tier: i16,
    pub(crate) status: Status,
    pub(crate) reason: Reason,
    pub(crate) review_round: i32,
    pub(crate) opened_at: DateTime<Utc>,
    pub(crate) changed_at: DateTime<Utc>,
}

pub(super) async fn list(
    db: impl PgExecutor<'_>,
    filter: Filter,
    after: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Queued>, CaseError> {
    let rows = sqlx::query!(
        r#"SELECT id, user_id, country, tier, status, reason, review_round, opened_at, changed_at,
                  (SELECT count(*) FROM kyc_decisions AS decision
                   WHERE decision.case_id = kyc_cases.id AND decision.review_round = kyc_cases.review_round
                     AND decision.action = 'approve' AND decision.actor_type = 'staff') AS "approvals!"
           FROM kyc_cases
           WHERE status = $1 AND ($2::smallint IS NULL OR tier = $2)
             AND ($3::uuid IS NULL OR CASE WHEN $4 THEN id > $3 ELSE id < $3 END)
           ORDER BY CASE WHEN $4 THEN id END ASC, CASE WHEN NOT $4 THEN id END DESC LIMIT $5"#,
        filter.status.name(),
        filter.tier,
        after,
        filter.oldest_first,
        rows,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let case = Line {
                id: row.id,
                user_id: row.user_id,
                country: row.country,
                tier: row.tier,
                status: read(&row.status)?,
                reason: read(&row.reason)?,
                review_round: row.review_round,
                opened_at: row.opened_at,
                changed_at: row.changed_at,
            };
            Ok(Queued { case, approvals: row.approvals })
        })
        .collect()
}

/// Who approved the case in its running round.
pub(super) async fn approvers_in_op(op: &mut Op, case: &Case) -> sqlx::Result<Vec<UserId>> {
    let ids = sqlx::query_scalar!(
        r#"SELECT actor_id::uuid AS "id!" FROM kyc_decisions
           WHERE case_id = $1 AND review_round = $2 AND action = 'approve' AND actor_type = 'staff'"#,
        case.id.uuid(),
        case.review_round,
    )
    .fetch_all(&mut **op)
    .await?;
    Ok(ids.into_iter().map(UserId::from).collect())
}

pub(super) async fn insert_access_in_op(
    op: &mut Op,
    case: CaseId,
    document: Option<Uuid>,
    viewer: UserId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO kyc_accesses (id, case_id, document_id, viewer_id, accessed_at) VALUES ($1, $2, $3, $4, $5)",
        ids::new_id(),
        case.uuid(),
        document,
        viewer.uuid(),
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}
