//! A case as its owner sees it: what they are asked for, and nothing of what they told.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    super::{documents::repo::Document, evidence::EvidenceKind, policy::TierPolicy},
    entity::{Case, Reason, Status},
};

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycCase)]
pub(crate) struct CaseView {
    id: Uuid,
    #[schema(example = "NG")]
    country: String,
    #[schema(minimum = 1, maximum = 3)]
    tier: i16,
    status: Status,
    reason: Reason,
    /// What has to be uploaded, while the status is `more_needed`.
    asked_for: Vec<EvidenceKind>,
    /// Until then.
    answer_by: Option<DateTime<Utc>>,
    /// What a case of this tier takes as documents; nothing where the country has the tier no more.
    takes: Vec<EvidenceKind>,
    documents: Vec<DocumentView>,
    opened_at: DateTime<Utc>,
    /// Since when it has its status.
    changed_at: DateTime<Utc>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KycDocument)]
pub(crate) struct DocumentView {
    id: Uuid,
    kind: EvidenceKind,
    #[schema(example = "image/jpeg")]
    content_type: &'static str,
    /// Bytes.
    size: i32,
    uploaded_at: DateTime<Utc>,
}

impl CaseView {
    pub(crate) fn of(case: &Case, tier: Option<&TierPolicy>, documents: &[Document]) -> Self {
        let fits = |kind: &EvidenceKind| !kind.is_number() && tier.is_some_and(|tier| tier.takes(*kind));
        let takes = EvidenceKind::ALL.into_iter().filter(fits);
        Self {
            id: case.id.uuid(),
            country: case.country.clone(),
            tier: case.tier,
            status: case.status,
            reason: case.reason.for_the_person(),
            asked_for: case.asked_for.clone(),
            answer_by: case.answer_by,
            takes: takes.collect(),
            documents: documents.iter().map(DocumentView::from).collect(),
            opened_at: case.opened_at,
            changed_at: case.changed_at,
        }
    }

    /// With the reason that was given.
    pub(crate) fn for_reviewers(case: &Case, tier: Option<&TierPolicy>, documents: &[Document]) -> Self {
        Self { reason: case.reason, ..Self::of(case, tier, documents) }
    }
}

impl From<&Document> for DocumentView {
    fn from(document: &Document) -> Self {
        Self {
            id: document.id,
            kind: document.kind,
            content_type: document.content_type.name(),
            size: document.size,
            uploaded_at: document.uploaded_at,
        }
    }
}
