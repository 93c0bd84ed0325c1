//! Documents of a case: an address document, a selfie. Checked by content, encrypted under the person's key, and kept in the database.
//!
//! Steps: there is room for it in memory (`room`) → the case is the caller's and takes the kind → the bytes are looked at (`content`) → they are encrypted, with no transaction
//! open → one transaction that locks the person and the case looks again and writes. When all that was asked for has come, the
//! case is submitted again. The owner sees that a document is there; what is in it is for reviewers alone.

pub(crate) mod content;
pub(crate) mod repo;
pub(crate) mod room;
pub(crate) mod routes;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use common_db::idempotency::{RepeatableCall, SavedResponse};
use common_events::Actor;
use common_utils::ids::{self, UserId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    cases::{
        self, Answer, Cases,
        entity::{Action, Case, CaseId, NotPossible, Status},
        error::CaseError,
        repo::Beside,
        view::CaseView,
    },
    evidence::EvidenceKind,
};
use crate::{
    crypto::{
        data_key::{Field, Place},
        error::PiiError,
        vault::Vault,
    },
    users,
};
use content::ContentType;
use repo::{Document, NewDocument};
use room::Room;

/// Of one case, whatever their kind.
const MOST: usize = 10;

/// What somebody sends.
pub(crate) struct Upload {
    pub(crate) case: CaseId,
    pub(crate) kind: EvidenceKind,
    pub(crate) content_type: ContentType,
    pub(crate) content: Zeroizing<Vec<u8>>,
    /// That its content has in memory.
    pub(crate) room: Room,
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("case", &self.case).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Upload {
    /// A keyed hash, by which the same content is known again and nothing can be tried out.
    pub(crate) fn digest(&self, vault: &Vault) -> [u8; 32] {
        vault.lookup(Field::Document, &URL_SAFE_NO_PAD.encode(Sha256::digest(&*self.content)))
    }
}

impl Cases {
    /// Takes a document. The same one again changes nothing.
    pub(crate) async fn upload(
        &self,
        user: UserId,
        upload: Upload,
        call: &RepeatableCall,
    ) -> Result<Answer, CaseError> {
        let now = self.clock.now();
        let (id, kind) = (upload.case, upload.kind);
        let case = cases::repo::find(&self.pool, id).await?.filter(|case| case.user == user);
        let case = case.ok_or(CaseError::NotFound)?;
        if let Some(saved) = call.answered(&self.pool, now).await? {
            return Ok(Answer::Replayed(saved));
        }
        require_open(&case)?;
        let tier = self.tier_of(&case)?;
        if kind.is_number() || !tier.takes(kind) {
            return Err(CaseError::NotTaken(kind));
        }
        content::check(upload.content_type, &upload.content)?;
        let digest = upload.digest(&self.vault);
        let document = self.seal(user, upload, digest).await?;

        let mut op = common_db::begin(&self.pool).await?;
        if let Some(saved) = call.claim_in_op(&mut op, now).await? {
            return Ok(Answer::Replayed(saved));
        }
        let owner = users::repo::find_locked_in_op(&mut op, user, &self.clock).await?;
        let mut owner = owner.filter(|owner| owner.is_active()).ok_or(CaseError::Inactive)?;
        let locked = cases::repo::find_locked_in_op(&mut op, id).await?;
        let mut case = locked.ok_or(CaseError::NotFound)?;
        require_open(&case)?;
        // Not before what was asked for meanwhile.
        let now = self.clock.now();
        let before = repo::of_cases(&mut *op, &[id]).await?;
        if before.len() >= MOST {
            return Err(CaseError::Full);
        }
        repo::insert_in_op(&mut op, &case, &document, now).await?;
        let documents = repo::of_cases(&mut *op, &[id]).await?;
        let by = (Actor::user(user), Beside::default());
        let step = (case.status == Status::MoreNeeded && has_all(&case, &documents))
            .then(|| case.resubmit(now))
            .transpose()?;
        if let Some(step) = step {
            self.settle_in_op(&mut op, (&case, &mut owner), step, by, None).await?;
        }
        let answer = SavedResponse {
            status: 201,
            body: serde_json::to_value(CaseView::of(&case, Some(tier), &documents))?,
        };
        call.save_in_op(&mut op, &answer).await?;
        op.commit().await?;
        if let Some(step) = step {
            self.settled(&case, step, "person");
        }
        self.wake.notify_one();
        Ok(Answer::Now(answer))
    }

    /// Megabytes take their time: not on a thread that answers others.
    async fn seal(&self, user: UserId, upload: Upload, digest: [u8; 32]) -> Result<NewDocument, CaseError> {
        let (id, key) = (ids::new_id(), self.vault.key(user).await?);
        let size = i32::try_from(upload.content.len()).map_err(|_| content::Unfit::TooLarge)?;
        let (kind, content_type) = (upload.kind, upload.content_type);
        let place = Place::in_row(user, Field::Document, id);
        // Also where nobody waits for it any more.
        let Upload { content, room, .. } = upload;
        let sealed = tokio::task::spawn_blocking(move || {
            let sealed = key.seal(&place, &content);
            drop((content, room));
            sealed
        });
        let content = sealed.await.map_err(|error| CaseError::Corrupt(error.to_string()))??;
        Ok(NewDocument { id, kind, content_type, size, digest, content })
    }

    /// What is in a document.
    pub(crate) async fn content(
        &self,
        case: &Case,
        document: &Document,
    ) -> Result<Zeroizing<Vec<u8>>, CaseError> {
        let stored = repo::content(&self.pool, document.id).await?;
        let key = self.vault.existing_key(case.user).await?.ok_or(PiiError::Erased)?;
        let place = Place::in_row(case.user, Field::Document, document.id);
        let opened = tokio::task::spawn_blocking(move || key.open(&place, &stored)).await;
        Ok(opened.map_err(|error| CaseError::Corrupt(error.to_string()))??)
    }
}

/// A case that reviewers have before them stays as they see it.
fn require_open(case: &Case) -> Result<(), CaseError> {
    match case.status {
        Status::Submitted | Status::MoreNeeded => Ok(()),
        status => Err(NotPossible(status, Action::Resubmit).into()),
    }
}

/// Whether everything that was asked for has come since.
fn has_all(case: &Case, documents: &[Document]) -> bool {
    let arrived = |kind| documents.iter().any(|one| one.kind == kind && one.uploaded_at >= case.changed_at);
    case.asked_for.iter().all(|kind| arrived(*kind))
}
