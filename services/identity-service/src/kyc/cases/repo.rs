//! All SQL about cases, what was found, and what was decided.

use chrono::{DateTime, Utc};
use common_db::Op;
use common_utils::ids::{self, UserId};
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    super::evidence::{Checked, EvidenceKind, LookedUp},
    entity::{Action, Case, CaseId, Reason, Status, Step},
    error::CaseError,
};

struct Row {
    id: Uuid,
    user_id: Uuid,
    country: String,
    tier: i16,
    status: String,
    reason: String,
    asked_for: Vec<String>,
    review_round: i32,
    opened_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    answer_by: Option<DateTime<Utc>>,
    next_check_at: Option<DateTime<Utc>>,
    attempts: i32,
}

pub(crate) fn read<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, CaseError> {
    text.parse().map_err(|error: T::Err| CaseError::Corrupt(error.to_string()))
}

impl TryFrom<Row> for Case {
    type Error = CaseError;

    fn try_from(row: Row) -> Result<Self, CaseError> {
        Ok(Self {
            id: row.id.into(),
            user: row.user_id.into(),
            country: row.country,
            tier: row.tier,
            status: read(&row.status)?,
            reason: read(&row.reason)?,
            asked_for: row.asked_for.iter().map(|kind| read(kind)).collect::<Result<_, _>>()?,
            review_round: row.review_round,
            opened_at: row.opened_at,
            changed_at: row.changed_at,
            answer_by: row.answer_by,
            next_check_at: row.next_check_at,
            attempts: row.attempts,
        })
    }
}

/// As it stands, which may be decided already.
pub(crate) async fn insert_in_op(op: &mut Op, case: &Case, claims: &[u8]) -> Result<(), CaseError> {
    sqlx::query!(
        "INSERT INTO kyc_cases (id, user_id, country, tier, status, reason, claims, opened_at, changed_at, next_check_at,
                                asked_for, review_round, answer_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        case.id.uuid(),
        case.user.uuid(),
        case.country,
        case.tier,
        case.status.name(),
        case.reason.name(),
        claims,
        case.opened_at,
        case.changed_at,
        case.next_check_at,
        &case.asked_for.iter().map(|kind| kind.name()).collect::<Vec<_>>() as _,
        case.review_round,
        case.answer_by,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn update_in_op(op: &mut Op, case: &Case) -> Result<(), CaseError> {
    sqlx::query!(
        "UPDATE kyc_cases SET status = $2, reason = $3, asked_for = $4, review_round = $5, changed_at = $6, answer_by = $7,
                              next_check_at = $8, attempts = $9
         WHERE id = $1",
        case.id.uuid(),
        case.status.name(),
        case.reason.name(),
        &case.asked_for.iter().map(|kind| kind.name()).collect::<Vec<_>>() as _,
        case.review_round,
        case.changed_at,
        case.answer_by,
        case.next_check_at,
        case.attempts,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

pub(crate) async fn find(db: impl PgExecutor<'_>, id: CaseId) -> Result<Option<Case>, CaseError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, country, tier, status, reason, asked_for, review_round, opened_at, changed_at, answer_by,
                next_check_at, attempts
         FROM kyc_cases WHERE id = $1",
        id.uuid(),
    )
    .fetch_optional(db)
    .await?;
    row.map(Case::try_from).transpose()
}

/// Whoever decides about the case waits until the transaction ends.
pub(crate) async fn find_locked_in_op(op: &mut Op, id: CaseId) -> Result<Option<Case>, CaseError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, user_id, country, tier, status, reason, asked_for, review_round, opened_at, changed_at, answer_by,
                next_check_at, attempts
         FROM kyc_cases WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(&mut **op)
    .await?;
    row.map(Case::try_from).transpose()
}

/// Somebody's cases, newest first.
pub(crate) async fn list(
    db: impl PgExecutor<'_>,
    user: UserId,
    before: Option<Uuid>,
    rows: i64,
) -> Result<Vec<Case>, CaseError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, country, tier, status, reason, asked_for, review_round, opened_at, changed_at, answer_by,
                next_check_at, attempts
         FROM kyc_cases WHERE user_id = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3",
        user.uuid(),
        before,
        rows,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Case::try_from).collect()
}

/// Somebody's cases that are open: at most one a tier.
pub(super) async fn open_of_locked_in_op(op: &mut Op, user: UserId) -> Result<Vec<Case>, CaseError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, country, tier, status, reason, asked_for, review_round, opened_at, changed_at, answer_by,
                next_check_at, attempts
         FROM kyc_cases WHERE user_id = $1 AND status IN ('submitted', 'in_review', 'more_needed') ORDER BY id FOR UPDATE",
        user.uuid(),
    )
    .fetch_all(&mut **op)
    .await?;
    rows.into_iter().map(Case::try_from).collect()
}

/// What the person told and sent is gone; that there was a case, and how it ended, stays.
pub(crate) async fn empty_in_op(op: &mut Op, user: UserId) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE kyc_documents SET content = '', digest = sha256(uuid_send(id)) WHERE user_id = $1",
        user.uuid(),
    )
    .execute(&mut **op)
    .await?;
    sqlx::query!("UPDATE kyc_cases SET claims = '' WHERE user_id = $1", user.uuid())
        .execute(&mut **op)
        .await?;
    Ok(())
}

pub(crate) async fn claims(db: impl PgExecutor<'_>, id: CaseId) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("SELECT claims FROM kyc_cases WHERE id = $1", id.uuid()).fetch_one(db).await
}

/// Takes cases that are due to be looked at, under a lease.
pub(super) async fn take_due(
    db: impl PgExecutor<'_>,
    at_most: i64,
    lease_ends: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<Vec<Case>, CaseError> {
    let rows = sqlx::query_as!(
        Row,
        "UPDATE kyc_cases SET next_check_at = $3, attempts = attempts + 1
         WHERE id IN (SELECT id FROM kyc_cases WHERE status = 'submitted' AND next_check_at <= $2
                      ORDER BY next_check_at LIMIT $1 FOR UPDATE SKIP LOCKED)
         RETURNING id, user_id, country, tier, status, reason, asked_for, review_round, opened_at, changed_at, answer_by,
                   next_check_at, attempts",
        at_most,
        now,
        lease_ends,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(Case::try_from).collect()
}

/// Only by who made the last attempt: after a lost lease, another one decides.
pub(super) async fn postpone(db: impl PgExecutor<'_>, case: &Case, until: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE kyc_cases SET next_check_at = $3 WHERE id = $1 AND status = 'submitted' AND attempts = $2",
        case.id.uuid(),
        case.attempts,
        until,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whose person was asked for more and did not answer in time.
pub(crate) async fn unanswered(
    db: impl PgExecutor<'_>,
    at_most: i64,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<(CaseId, UserId)>> {
    let rows = sqlx::query!(
        "SELECT id, user_id FROM kyc_cases WHERE status = 'more_needed' AND answer_by <= $2 ORDER BY answer_by LIMIT $1",
        at_most,
        now,
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.user_id.into())).collect())
}

/// A finding that was made before stays.
pub(super) async fn insert_check(
    db: impl PgExecutor<'_>,
    case: CaseId,
    (kind, evidence): (EvidenceKind, Uuid),
    found: &LookedUp,
    provider: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO kyc_checks (case_id, kind, evidence_id, finding, name_score, mismatched, provider, checked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT ON CONSTRAINT kyc_checks_pkey DO NOTHING",
        case.uuid(),
        kind.name(),
        evidence,
        found.checked.finding.name(),
        found.checked.name_score.map(i16::from),
        &found.mismatched.iter().map(|one| one.name()).collect::<Vec<_>>() as _,
        provider,
        now,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was found, of which evidence, when.
#[derive(Debug, Clone)]
pub(crate) struct CheckRow {
    pub(crate) kind: EvidenceKind,
    pub(crate) evidence: Uuid,
    pub(crate) found: LookedUp,
    pub(crate) checked_at: DateTime<Utc>,
}

pub(crate) async fn checks(db: impl PgExecutor<'_>, case: CaseId) -> Result<Vec<CheckRow>, CaseError> {
    let rows = sqlx::query!(
        "SELECT kind, evidence_id, finding, name_score, mismatched, checked_at FROM kyc_checks WHERE case_id = $1 ORDER BY checked_at",
        case.uuid(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let name_score = row.name_score.and_then(|score| u8::try_from(score).ok());
            let mismatched = row.mismatched.iter().map(|one| read(one)).collect::<Result<_, _>>()?;
            Ok(CheckRow {
                kind: read(&row.kind)?,
                evidence: row.evidence_id,
                found: LookedUp { checked: Checked { finding: read(&row.finding)?, name_score }, mismatched },
                checked_at: row.checked_at,
            })
        })
        .collect()
}

/// Who decided, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct By {
    pub(crate) kind: String,
    pub(crate) id: String,
}

/// What a reviewer added to a decision, or the rules.
#[derive(Debug, Default)]
pub(crate) struct Beside {
    pub(crate) name_score: Option<u8>,
    /// Encrypted, bound to the id of the decision.
    pub(crate) note: Option<(Uuid, Vec<u8>)>,
}

pub(super) async fn insert_decision_in_op(
    op: &mut Op,
    case: &Case,
    step: Step,
    (by, beside): (&By, Beside),
    now: DateTime<Utc>,
) -> Result<(), CaseError> {
    let (id, note) = beside.note.map_or_else(|| (ids::new_id(), None), |(id, note)| (id, Some(note)));
    sqlx::query!(
        "INSERT INTO kyc_decisions (id, case_id, user_id, review_round, action, from_status, to_status, actor_type, actor_id,
                                    reason, name_score, note, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        id,
        case.id.uuid(),
        case.user.uuid(),
        step.review_round,
        step.action.name(),
        step.from.map(Status::name),
        step.to.name(),
        by.kind,
        by.id,
        step.reason.name(),
        beside.name_score.map(i16::from),
        note,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// What was decided, as it is kept.
#[derive(Debug)]
pub(crate) struct DecisionRow {
    pub(crate) id: Uuid,
    pub(crate) review_round: i32,
    pub(crate) action: Action,
    pub(crate) from: Option<Status>,
    pub(crate) to: Status,
    pub(crate) by: By,
    pub(crate) reason: Reason,
    pub(crate) name_score: Option<i16>,
    pub(crate) note: Option<Vec<u8>>,
    pub(crate) decided_at: DateTime<Utc>,
}

/// Oldest first. A case has few: rounds are bounded by the documents that it takes.
pub(crate) async fn decisions(db: impl PgExecutor<'_>, case: CaseId) -> Result<Vec<DecisionRow>, CaseError> {
    let rows = sqlx::query!(
        "SELECT id, review_round, action, from_status, to_status, actor_type, actor_id, reason, name_score, note, decided_at
         FROM kyc_decisions WHERE case_id = $1 ORDER BY decided_at, id",
        case.uuid(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(DecisionRow {
                id: row.id,
                review_round: row.review_round,
                action: read(&row.action)?,
                from: row.from_status.as_deref().map(read).transpose()?,
                to: read(&row.to_status)?,
                by: By { kind: row.actor_type, id: row.actor_id },
                reason: read(&row.reason)?,
                name_score: row.name_score,
                note: row.note,
                decided_at: row.decided_at,
            })
        })
        .collect()
}

/// How cases stand that have not ended: for the gauges.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) status: String,
    pub(crate) cases: i64,
    pub(crate) oldest_seconds: f64,
}

pub(crate) async fn standing(db: impl PgExecutor<'_>, now: DateTime<Utc>) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as!(
        Standing,
        r#"SELECT status, count(*) AS "cases!",
                  COALESCE(extract(epoch FROM $1::timestamptz - min(changed_at)), 0)::float8 AS "oldest_seconds!"
           FROM kyc_cases WHERE status IN ('submitted', 'in_review', 'more_needed') GROUP BY status"#,
        now,
    )
    .fetch_all(db)
    .await
}
