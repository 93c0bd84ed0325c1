//! A case as reviewers see it. Numbers are masked: the provider has compared them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{
    super::{
        cases::{
            entity::{Action, Case, Reason, Status},
            repo::{CheckRow, DecisionRow},
            view::DocumentView,
        },
        claims::{self, Claims},
        documents::repo::Document,
        entity::Bvn,
        evidence::{Attribute, EvidenceKind, Finding},
    },
    repo::Queued,
};
use crate::{kyc::claims::Nin, users::entity::User};

/// A case in the queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycQueuedCase)]
pub(super) struct QueuedView {
    id: Uuid,
    user_id: Uuid,
    #[schema(example = "NG")]
    country: String,
    #[schema(minimum = 1, maximum = 3)]
    tier: i16,
    status: Status,
    reason: Reason,
    review_round: i32,
    /// Reviewers who approved it in this round.
    approvals: i64,
    opened_at: DateTime<Utc>,
    /// Since when it has its status.
    changed_at: DateTime<Utc>,
}

impl From<Queued> for QueuedView {
    fn from(Queued { case, approvals }: Queued) -> Self {
        Self {
            id: case.id,
            user_id: case.user_id,
            country: case.country,
            tier: case.tier,
            status: case.status,
            reason: case.reason,
            review_round: case.review_round,
            approvals,
            opened_at: case.opened_at,
            changed_at: case.changed_at,
        }
    }
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycReview)]
pub(crate) struct ReviewedCase {
    id: Uuid,
    user_id: Uuid,
    country: String,
    #[schema(minimum = 1, maximum = 3)]
    tier: i16,
    status: Status,
    reason: Reason,
    review_round: i32,
    /// Reviewers who have to approve it; null where the country has the tier no more, and nobody can.
    approvals_needed: Option<u8>,
    /// Who approved it in this round.
    approved_by: Vec<String>,
    claims: ClaimsView,
    /// Whether the account still has the names that were looked up.
    names_unchanged: bool,
    documents: Vec<DocumentView>,
    checks: Vec<CheckView>,
    decisions: Vec<DecisionView>,
    opened_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl std::fmt::Debug for ReviewedCase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Review").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What the person told.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycClaims)]
struct ClaimsView {
    first_name: String,
    last_name: String,
    date_of_birth: String,
    #[schema(example = "*******2221")]
    bvn: Option<String>,
    #[schema(example = "*******1111")]
    nin: Option<String>,
    /// Lines, from the street to the state.
    address: Option<[String; 3]>,
}

/// What the provider found of a piece of evidence.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycCheck)]
struct CheckView {
    kind: EvidenceKind,
    /// The document, or the case for a number.
    evidence_id: Uuid,
    finding: Finding,
    /// How alike the names are, of 100.
    name_score: Option<u8>,
    /// What was compared and fits, as far as the provider tells.
    matched: Vec<Attribute>,
    /// What is otherwise in the record.
    mismatched: Vec<Attribute>,
    checked_at: DateTime<Utc>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycDecision)]
struct DecisionView {
    action: Action,
    from: Option<Status>,
    to: Status,
    reason: Reason,
    /// `user`, `staff` or `service`, and which.
    #[schema(example = "service:identity-service")]
    by: String,
    name_score: Option<i16>,
    note: Option<String>,
    decided_at: DateTime<Utc>,
}

impl ReviewedCase {
    pub(super) fn of(
        case: &Case,
        user: &User,
        claims: &Claims,
        documents: &[Document],
        checks: &[CheckRow],
        decisions: impl Iterator<Item = (DecisionRow, Option<Zeroizing<String>>)>,
        approvals_needed: Option<u8>,
    ) -> Self {
        let decisions: Vec<_> = decisions.collect();
        let approval = |decision: &DecisionRow| {
            decision.action == Action::Approve && decision.review_round == case.review_round
        };
        let approved_by =
            decisions.iter().filter(|(decision, _)| approval(decision) && decision.by.kind == "staff");
        Self {
            id: case.id.uuid(),
            user_id: case.user.uuid(),
            country: case.country.clone(),
            tier: case.tier,
            status: case.status,
            reason: case.reason,
            review_round: case.review_round,
            approvals_needed,
            approved_by: approved_by.map(|(decision, _)| decision.by.id.clone()).collect(),
            claims: claims.into(),
            names_unchanged: claims.name(user),
            documents: documents.iter().map(DocumentView::from).collect(),
            checks: checks.iter().map(CheckView::from).collect(),
            decisions: decisions.into_iter().map(DecisionView::from).collect(),
            opened_at: case.opened_at,
            changed_at: case.changed_at,
        }
    }
}

impl From<&Claims> for ClaimsView {
    fn from(told: &Claims) -> Self {
        let address = told.address.as_ref();
        Self {
            first_name: told.first_name.as_str().to_owned(),
            last_name: told.last_name.as_str().to_owned(),
            date_of_birth: told.date_of_birth.to_string(),
            bvn: told.bvn.as_ref().map(Bvn::digits).map(claims::masked),
            nin: told.nin.as_ref().map(Nin::digits).map(claims::masked),
            address: address.map(|at| [at.line.clone(), at.city.clone(), at.state.clone()]),
        }
    }
}

impl From<&CheckRow> for CheckView {
    fn from(row: &CheckRow) -> Self {
        Self {
            kind: row.kind,
            evidence_id: row.evidence,
            finding: row.found.checked.finding,
            name_score: row.found.checked.name_score,
            matched: row.found.matched(row.kind),
            mismatched: row.found.mismatched.clone(),
            checked_at: row.checked_at,
        }
    }
}

impl From<(DecisionRow, Option<Zeroizing<String>>)> for DecisionView {
    fn from((row, note): (DecisionRow, Option<Zeroizing<String>>)) -> Self {
        Self {
            action: row.action,
            from: row.from,
            to: row.to,
            reason: row.reason,
            by: format!("{}:{}", row.by.kind, row.by.id),
            name_score: row.name_score,
            note: note.map(|note| note.as_str().to_owned()),
            decided_at: row.decided_at,
        }
    }
}
