//! All SQL about documents. What it stores is encrypted before it comes here.

use chrono::{DateTime, Utc};
use common_db::Op;
use sqlx::PgExecutor;
use uuid::Uuid;

use super::{
    super::{
        cases::{
            entity::{Case, CaseId},
            error::CaseError,
            repo::read,
        },
        evidence::EvidenceKind,
    },
    content::ContentType,
};

pub(super) struct NewDocument {
    pub(super) id: Uuid,
    pub(super) kind: EvidenceKind,
    pub(super) content_type: ContentType,
    /// Before it was encrypted.
    pub(super) size: i32,
    pub(super) digest: [u8; 32],
    pub(super) content: Vec<u8>,
}

/// All of a document but what is in it.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) id: Uuid,
    pub(crate) case: CaseId,
    pub(crate) kind: EvidenceKind,
    pub(crate) content_type: ContentType,
    pub(crate) size: i32,
    pub(crate) uploaded_at: DateTime<Utc>,
}

/// One that the case has already is not written again.
pub(super) async fn insert_in_op(
    op: &mut Op,
    case: &Case,
    document: &NewDocument,
    now: DateTime<Utc>,
) -> Result<(), CaseError> {
    sqlx::query!(
        "INSERT INTO kyc_documents (id, case_id, user_id, kind, content_type, size, digest, content, uploaded_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT ON CONSTRAINT kyc_documents_once_key DO NOTHING",
        document.id,
        case.id.uuid(),
        case.user.uuid(),
        document.kind.name(),
        document.content_type.name(),
        document.size,
        document.digest.as_slice(),
        document.content,
        now,
    )
    .execute(&mut **op)
    .await?;
    Ok(())
}

/// Oldest first.
pub(crate) async fn of_cases(db: impl PgExecutor<'_>, cases: &[CaseId]) -> Result<Vec<Document>, CaseError> {
    let rows = sqlx::query!(
        "SELECT id, case_id, kind, content_type, size, uploaded_at
         FROM kyc_documents WHERE case_id = ANY ($1) ORDER BY id",
        &cases.iter().map(|case| case.uuid()).collect::<Vec<_>>(),
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Document {
                id: row.id,
                case: row.case_id.into(),
                kind: read(&row.kind)?,
                content_type: read(&row.content_type)?,
                size: row.size,
                uploaded_at: row.uploaded_at,
            })
        })
        .collect()
}

pub(super) async fn content(db: impl PgExecutor<'_>, id: Uuid) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar!("SELECT content FROM kyc_documents WHERE id = $1", id).fetch_one(db).await
}
